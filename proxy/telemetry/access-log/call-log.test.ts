import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Server, ServerCredentials, type ServerReadableStream, type sendUnaryData } from "@grpc/grpc-js";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { accessLogService } from "../../../mesh/xds/access-log-service.ts";
import type {
  StreamAccessLogsMessage,
  StreamAccessLogsResponse,
} from "../../../mesh/xds/gen/envoy/service/accesslog/v3/als.ts";
import { CallLog } from "./call-log.ts";

const ENDS = {
  direction: "inbound",
  listener: "in",
  localAddress: "127.0.0.1:80",
  remoteAddress: "127.0.0.2:4000",
  serverName: "",
  clientId: undefined,
  ownId: undefined,
  secure: false,
  caller: undefined,
  introduced: true,
} as const;

interface Agent extends AsyncDisposable {
  readonly socketPath: string;
  readonly told: readonly StreamAccessLogsMessage[];
}

/** `isSilent`: it does not say that it has everything. */
async function startAgent(isSilent = false): Promise<Agent> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-calls-"));
  const socketPath = join(folder, "xds.sock");
  const told: StreamAccessLogsMessage[] = [];
  const server = new Server();
  server.addService(accessLogService, {
    streamAccessLogs: (
      call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>,
      answer: sendUnaryData<StreamAccessLogsResponse>,
    ) => {
      call.on("data", (message: StreamAccessLogsMessage) => told.push(message));
      call.on("end", () => (isSilent ? undefined : answer(null, {})));
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  return {
    socketPath,
    told,
    [Symbol.asyncDispose]: async () => {
      server.forceShutdown();
      await rm(folder, { recursive: true });
    },
  };
}

/** Tells what `call` has it count, and ends. */
async function tell({ socketPath }: Agent, call: (log: CallLog) => void): Promise<void> {
  const log = new CallLog({ socketPath, node: { id: "n", cluster: "c" }, clock: systemClock });
  call(log);
  const stop = new AbortController();
  const running = log.run(stop.signal);
  stop.abort();
  await running;
}

for (const isSilent of [false, true]) {
  const does = isSilent ? "does not say that it has them, and holds nobody up" : "has them";
  test(`calls of the last second are told to the agent before the proxy ends: it ${does}`, async () => {
    await using agent = await startAgent(isSilent);
    await tell(agent, (log) => log.tcp(ENDS, ""));
    assert.deepEqual(
      agent.told.map(({ tcpLogs }) => tcpLogs?.logEntry.length),
      [1],
    );
  });
}

test("calls of more kinds than a message has room for are told in several", async () => {
  await using agent = await startAgent();
  const [callers, ports] = [200, 60];
  await tell(agent, (log) => {
    for (let caller = 0; caller < callers; caller++) {
      const clientId = `spiffe://cluster.local/ns/default/sa/${caller}-${"x".repeat(400)}`;
      for (let port = 1; port <= ports; port++)
        log.tcp({ ...ENDS, clientId, localAddress: `127.0.0.1:${port}` }, "");
    }
  });
  const entries = agent.told.flatMap(({ tcpLogs }) => tcpLogs?.logEntry ?? []);
  assert.equal(entries.length, callers * ports);
  assert.deepEqual(
    agent.told.map(({ identifier }) => identifier?.logName),
    ["lateen-calls", ...agent.told.slice(1).map(() => undefined)],
  );
});
