/** A process of the benchmark: simulated proxies. */
import { type ClientHttp2Session, connect } from "node:http2";
import { createSecureContext, connect as tlsConnect } from "node:tls";
import { XdsClient } from "./xds-client.ts";
import { nowUs, type SubscriberAnswers, type SubscriberRequests } from "./xds-messages.ts";
import { answerParent } from "./xds-processes.ts";
import type { ScannedResponse } from "./xds-response.ts";

/** The agents', of streams and of the connection. */
const WINDOW_BYTES = 1 << 20;
/** Handshakes at a time. */
const CONNECTING = 32;

interface Expected {
  readonly type: string;
  readonly name: string;
  readonly had: Set<number>;
  readonly touched: Set<number>;
  lastAt: number;
  responses: number;
  resources: number;
  bytes: number;
}

const sessions: ClientHttp2Session[] = [];
let expected: Expected | undefined;
let wake: (() => void) | undefined;
/** A stream that has ended is never made again: what waits for it, now or later, is told. */
const failed = Promise.withResolvers<never>();
failed.promise.catch(() => undefined);
let closing = false;

function fail(error: Error): void {
  if (!closing) failed.reject(error);
}

answerParent<SubscriberRequests, SubscriberAnswers>({
  connect: open,
  expect({ type, name }) {
    expected = {
      type,
      name,
      had: new Set(),
      touched: new Set(),
      lastAt: 0,
      responses: 0,
      resources: 0,
      bytes: 0,
    };
    return {};
  },
  received,
  async close() {
    closing = true;
    for (const session of sessions) session.destroy();
    sessions.length = 0;
    return {};
  },
});

async function open({
  port,
  tls,
  nodes,
  streamsPerConnection,
}: SubscriberRequests["connect"]): Promise<SubscriberAnswers["connect"]> {
  const secureContext = createSecureContext({
    ca: [...tls.roots],
    key: tls.keyPem,
    cert: tls.chainPem,
    minVersion: "TLSv1.3",
  });
  const all = Promise.withResolvers<void>();
  let [missing, bytes] = [nodes.length, 0];
  const onComplete = (): void => {
    missing -= 1;
    if (missing === 0) all.resolve();
  };
  const groups = Array.from({ length: Math.ceil(nodes.length / streamsPerConnection) }, (_, group) =>
    nodes.slice(group * streamsPerConnection, (group + 1) * streamsPerConnection),
  );
  let [next, stream] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let group = groups[next++]; group !== undefined; group = groups[next++]) {
      const session = await startSession();
      for (const node of group) {
        const index = stream++;
        XdsClient.start(session, node, {
          onResponse(response, size) {
            bytes += size;
            note(index, response, size);
          },
          onComplete,
          onError: fail,
        });
      }
    }
  };
  const startSession = async (): Promise<ClientHttp2Session> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const session = connect(`https://127.0.0.1:${port}`, {
      createConnection: () =>
        tlsConnect({
          port,
          host: "127.0.0.1",
          secureContext,
          ALPNProtocols: ["h2"],
          checkServerIdentity: () => undefined,
        }),
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    session.once("connect", () => {
      session.setLocalWindowSize(WINDOW_BYTES);
      resolve();
    });
    session.on("error", (error) => {
      reject(error);
      fail(error);
    });
    sessions.push(session);
    await promise;
    return session;
  };
  await Promise.all(Array.from({ length: CONNECTING }, worker));
  await Promise.race([all.promise, failed.promise]);
  return { completeAt: nowUs(), bytes };
}

function note(index: number, { typeUrl, resources, removed }: ScannedResponse, size: number): void {
  if (expected === undefined) return;
  expected.responses += 1;
  expected.resources += resources.length + removed.length;
  expected.bytes += size;
  expected.touched.add(index);
  if (typeUrl !== expected.type || !resources.some(({ name }) => name === expected?.name)) return;
  expected.had.add(index);
  expected.lastAt = nowUs();
  wake?.();
}

async function received({ streams }: SubscriberRequests["received"]): Promise<SubscriberAnswers["received"]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  wake = () => {
    if ((expected?.had.size ?? 0) >= streams) resolve();
  };
  wake();
  await Promise.race([promise, failed.promise]);
  wake = undefined;
  if (expected === undefined) throw new Error("nothing was expected");
  const { lastAt, responses, resources, bytes, touched } = expected;
  return { lastAt, responses, resources, bytes, streams: touched.size };
}
