import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client, credentials, Server, ServerCredentials, type sendUnaryData, status } from "@grpc/grpc-js";
import { agentService } from "../../mesh/agent-api/services.ts";
import { httpCallKind } from "../../mesh/calls/call-kind.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type { CallReport, CallReportResult } from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { CallReporter } from "./call-reporter.ts";
import { ObservedCalls } from "./observed-calls.ts";

const signal = new AbortController().signal;

test("nothing is said when no call came", async () => {
  await using server = await startServer();
  await server.reporter.report(signal);
  assert.deepEqual(server.reports, []);
});

test("what is new is told once, of each workload, in reports that a server takes", async () => {
  await using server = await startServer();
  for (let workload = 0; workload < 3; workload++) {
    for (let caller = 0; caller < 20; caller++) {
      for (let path = 0; path < 30; path++)
        see(server.calls, `default/w${workload}`, `spiffe://d/${caller}`, `/${path}`);
    }
  }
  await server.reporter.report(signal);
  await server.reporter.report(signal);
  assert.deepEqual(server.reports.map(sizeOf), [1000, 800]);
  const told = server.reports.flatMap(({ workloads }) =>
    workloads.flatMap(({ workload, calls }) =>
      calls.map(({ source, path, count }) => `${workload} ${source} ${path} ${count}`),
    ),
  );
  assert.equal(new Set(told).size, 1800);
});

test("calls that are in no kind are told as a number, once", async () => {
  await using server = await startServer();
  for (let caller = 0; caller < 300; caller++) see(server.calls, "default/web", `spiffe://d/${caller}`, "/");
  await server.reporter.report(signal);
  const [web] = server.reports.flatMap(({ workloads }) => workloads);
  assert.deepEqual([web?.calls.length, web?.leftOut], [256, 44]);
});

test("a server that fails is no reason to fail, or to keep more and more", async () => {
  await using server = await startServer();
  server.fails = true;
  see(server.calls, "default/web", "", "/lost");
  await server.reporter.report(signal);
  server.fails = false;
  see(server.calls, "default/web", "", "/next");
  await server.reporter.report(signal);
  assert.deepEqual(
    server.reports.flatMap(({ workloads }) =>
      workloads.flatMap(({ calls }) => calls.map(({ path }) => path)),
    ),
    ["/next"],
  );
});

function see(calls: ObservedCalls, workload: string, source: string, target: string): void {
  const call = { source, port: 80, method: "GET", host: "web", issuer: "", details: "", target };
  calls.add(workload, { kind: httpCallKind(call), seen: { count: 1, firstMs: 1, lastMs: 1 } });
}

function sizeOf({ workloads }: CallReport): number {
  return workloads.reduce((sum, { calls }) => sum + calls.length, 0);
}

interface TestServer extends AsyncDisposable {
  readonly calls: ObservedCalls;
  readonly reporter: CallReporter;
  readonly reports: CallReport[];
  fails: boolean;
}

async function startServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-report-"));
  const address = `unix:${join(folder, "s")}`;
  const server = new Server();
  const calls = new ObservedCalls();
  const client = new Client(address, credentials.createInsecure());
  const started: TestServer = {
    calls,
    reporter: new CallReporter({
      calls,
      channel: { client },
      clock: systemClock,
      logger: silentLogger,
      random: () => 0,
    }),
    reports: [],
    fails: false,
    async [Symbol.asyncDispose]() {
      client.close();
      server.forceShutdown();
      await rm(folder, { recursive: true });
    },
  };
  const { reportCalls } = agentService;
  server.addService(
    { reportCalls },
    {
      reportCalls: ({ request }: { request: CallReport }, answer: sendUnaryData<CallReportResult>) => {
        if (!started.fails) started.reports.push(request);
        answer(started.fails ? { code: status.UNAVAILABLE, details: "not now" } : null, { refusals: [] });
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return started;
}
