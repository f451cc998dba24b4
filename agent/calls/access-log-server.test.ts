import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientWritableStream, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import type { LoggedCalls } from "../../mesh/calls/log-entry.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { accessLogService, CALL_LOG, openAccessLogStream } from "../../mesh/xds/access-log-service.ts";
import { StreamAccessLogsMessage } from "../../mesh/xds/gen/envoy/service/accesslog/v3/als.ts";
import { nodeId } from "../../mesh/xds/names.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { accessLogHandlers } from "./access-log-server.ts";

const WEB = nodeId("10.0.0.1", "web-1", "default", "cluster.local");
const OTHER = nodeId("10.0.0.2", "other-1", "default", "cluster.local");

test("what a proxy of this host tells is counted for its workload", async () => {
  await using agent = await startAgent();
  const { stream } = agent.open();
  stream.write(message({ node: WEB }));
  stream.write(message({ paths: ["/b", "/c"] }));
  await eventually("all three calls", () => agent.calls.length === 3);
  assert.deepEqual(
    agent.calls.map(([workload, { kind }]) => [workload, kind.path]),
    [
      ["default/web-1", "/a"],
      ["default/web-1", "/b"],
      ["default/web-1", "/c"],
    ],
  );
});

const REFUSED: readonly (readonly [string, Parameters<typeof message>[0]])[] = [
  ["of a workload that is not on this host", { node: OTHER }],
  ["of nobody", {}],
  ["of something that is no node", { node: "web" }],
  ["of another name", { node: WEB, log: "mine" }],
];
for (const [name, first] of REFUSED) {
  test(`a log ${name} is refused`, async () => {
    await using agent = await startAgent();
    const { stream, ended } = agent.open();
    stream.write(message(first));
    assert.match(String(await ended), /7 PERMISSION_DENIED/);
    assert.deepEqual(agent.calls, []);
  });
}

test("a log ends when its workload has left the host", async () => {
  await using agent = await startAgent();
  const { stream, ended } = agent.open();
  stream.write(message({ node: WEB }));
  await eventually("the call", () => agent.calls.length === 1);
  agent.served.clear();
  stream.write(message({}));
  assert.match(String(await ended), /PERMISSION_DENIED/);
  assert.equal(agent.calls.length, 1);
});

test("a proxy that tells more than is to be read in a second waits, and is read on in the next", async () => {
  await using agent = await startAgent(100);
  const { stream } = agent.open();
  const paths = Array.from({ length: 50 }, (_, i) => `/${"x".repeat(2000)}/${i}`);
  const started = performance.now();
  stream.write(message({ node: WEB }));
  for (let i = 0; i < 40; i++) stream.write(message({ paths }));
  await delay(500);
  // What is read in part of a second or two, with the messages that were on their way.
  assert.ok(agent.calls.length < 1000, `${agent.calls.length} of 2000`);
  const some = agent.calls.length;
  await eventually("more is read", () => agent.calls.length > some, 3000);
  assert.ok(performance.now() - started > 500);
});

interface TestAgent extends AsyncDisposable {
  readonly calls: (readonly [string, LoggedCalls])[];
  readonly served: Set<string>;
  open(): {
    readonly stream: ClientWritableStream<StreamAccessLogsMessage>;
    readonly ended: Promise<unknown>;
  };
}

async function startAgent(entriesPerSecond?: number): Promise<TestAgent> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-als-"));
  const address = `unix:${join(folder, "s")}`;
  const calls: [string, LoggedCalls][] = [];
  const served = new Set([WEB]);
  const server = new Server();
  const handlers = accessLogHandlers({
    serves: (id) => served.has(id),
    onCalls: (workload, logged) => calls.push([workload, logged]),
    onDecisions: () => {},
    logger: silentLogger,
    clock: systemClock,
    ...(entriesPerSecond === undefined ? {} : { entriesPerSecond }),
  });
  server.addService({ ...accessLogService }, handlers);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  const client = new Client(address, credentials.createInsecure());
  return {
    calls,
    served,
    open() {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      const stream = openAccessLogStream(client, resolve);
      stream.on("error", () => {});
      return { stream, ended: promise };
    },
    async [Symbol.asyncDispose]() {
      client.close();
      server.forceShutdown();
      await rm(folder, { recursive: true });
    },
  };
}

function message(given: {
  readonly node?: string;
  readonly log?: string;
  readonly paths?: readonly string[];
}): StreamAccessLogsMessage {
  const { node, log = CALL_LOG, paths = ["/a"] } = given;
  return StreamAccessLogsMessage.fromPartial({
    ...(node === undefined ? {} : { identifier: { node: { id: node }, logName: log } }),
    httpLogs: {
      logEntry: paths.map((path) => ({ commonProperties: {}, request: { path, authority: "web" } })),
    },
  });
}
