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

for (const isSilent of [false, true]) {
  const agent = isSilent ? "does not say that it has it, and holds nobody up" : "has it";
  test(`calls of the last second are told to the agent before the proxy ends: it ${agent}`, async () => {
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
    const log = new CallLog({ socketPath, node: { id: "n", cluster: "c" }, clock: systemClock });
    log.tcp(ENDS, "");
    const stop = new AbortController();
    const running = log.run(stop.signal);
    stop.abort();
    await running;
    assert.equal(told.length, 1);
    assert.equal(told[0]?.tcpLogs?.logEntry.length, 1);
    server.forceShutdown();
    await rm(folder, { recursive: true });
  });
}
