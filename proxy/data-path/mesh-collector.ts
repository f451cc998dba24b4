import { HeaderList } from "../tables/header-list.ts";
import type { Random } from "../tables/weighted.ts";
import type { Collector } from "../telemetry/export/collector.ts";
import type { Alarms } from "../transport/alarms.ts";
import type { Tables } from "./connection.ts";
import { type Answer, askOnce } from "./http/ask-once.ts";
import { frameOf } from "./http/grpc-message.ts";

const TIMEOUT_MS = 5000;
const LARGEST_ANSWER_BYTES = 64 * 1024;

/** Nobody's connection is behind what the proxy sends by itself. */
const NOBODY = {
  remoteAddress: "127.0.0.1",
  remotePort: 0,
  localAddress: "127.0.0.1",
  localPort: 0,
} as const;

interface CollectorDeps {
  readonly tables: Pick<Tables, "cluster">;
  readonly random: Random;
  readonly alarms: Alarms;
}

interface Sending {
  readonly cluster: string;
  readonly authority: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly http2: boolean;
  readonly signal: AbortSignal;
}

/** Sends telemetry over the clusters that calls are made over. */
export function meshCollector(deps: CollectorDeps): Collector {
  return {
    async grpc({ message, method, ...call }) {
      const headers = new HeaderList();
      headers.append("content-type", "application/grpc");
      headers.append("te", "trailers");
      const answer = await send(deps, {
        ...call,
        target: method,
        headers,
        body: frameOf(message),
        http2: true,
      });
      return (answer?.trailers ?? answer?.headers)?.get("grpc-status") === "0";
    },
    async post({ path, contentType, body, ...call }) {
      const headers = new HeaderList();
      headers.append("content-type", contentType);
      const answer = await send(deps, {
        ...call,
        target: path,
        headers,
        body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
        http2: false,
      });
      return answer !== undefined && answer.status >= 200 && answer.status < 300;
    },
  };
}

async function send(
  { tables, random, alarms }: CollectorDeps,
  { cluster: name, authority, target, headers, body, http2, signal }: Sending,
): Promise<Answer | undefined> {
  const cluster = tables.cluster(name);
  const host = cluster?.pick(random);
  if (cluster === undefined || host === undefined) return undefined;
  return await askOnce({
    pool: host.pool(cluster.variantOf(host, authority, NOBODY, { isHttp2: http2 })),
    head: {
      method: "POST",
      target,
      authority,
      scheme: undefined,
      upgrade: undefined,
      headers,
      body: { kind: "sized", bytes: body.length },
      expectsContinue: false,
    },
    body,
    alarms,
    timeoutMs: TIMEOUT_MS,
    mostBytes: LARGEST_ANSWER_BYTES,
    gone: signal,
  });
}
