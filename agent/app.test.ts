import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AgentStatus, WorkloadStatus } from "../mesh/admin-api/agent-status.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { FakeAgentServer, type FakeServerOptions } from "../test/fakes/fake-agent-server.ts";
import { eventually } from "../test/harness/eventually.ts";
import { runAgent } from "./app.ts";
import { type AgentConfig, loadAgentConfig } from "./config.ts";
import { askAdmin } from "./dataplane/admin-client.ts";
import { processStartTime } from "./dataplane/process-start-time.ts";
import { invitationOf } from "./identity/invitation.ts";
import { joinMesh } from "./identity/join.ts";

const FAKE_PROXY = new URL("./dataplane/testing/fake-proxy.ts", import.meta.url).pathname;
const REVIEWS = "default/reviews-v1";

const seams = { clock: systemClock, logger: silentLogger };

interface Host {
  readonly stateDir: string;
  readonly runDir: string;
  readonly write: (services: readonly unknown[]) => Promise<void>;
  /** Starts an agent; returns what stops it and waits until it has gone. */
  readonly start: (discovery?: Record<string, unknown>) => () => Promise<void>;
  readonly join: (server: FakeAgentServer) => Promise<void>;
  readonly status: () => Promise<AgentStatus>;
  readonly workload: (id: string, state: WorkloadStatus["state"]) => Promise<WorkloadStatus>;
}

async function host(t: TestContext): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-agent-"));
  const stateDir = join(folder, "state");
  const runDir = join(folder, "run");
  const path = join(folder, "services.json");
  const stops: (() => Promise<void>)[] = [];
  t.after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await rm(folder, { recursive: true, force: true });
  });
  const configWith = (discovery: Record<string, unknown>): AgentConfig =>
    loadAgentConfig({
      environment: {},
      flags: {
        nodeName: "host-1",
        loopback: "127.61.1.2",
        stateDir,
        runDir,
        discovery,
        status: { port: 0 },
        dns: { listen: [] },
        drainSeconds: 1,
      },
    });
  const status = async (): Promise<AgentStatus> => {
    const reply = await askAdmin(join(runDir, "agent.sock"), "/status");
    return JSON.parse(reply.body) as AgentStatus;
  };
  return {
    stateDir,
    runDir,
    status,
    write: (services) => writeFile(path, JSON.stringify({ services })),
    start: (discovery = { kind: "file", path }) => {
      const stop = new AbortController();
      const running = runAgent(configWith(discovery), {
        ...seams,
        signal: stop.signal,
        environment: {},
        proxyCommand: [process.execPath, FAKE_PROXY],
        random: () => 0,
      });
      const end = async (): Promise<void> => {
        stop.abort();
        await running;
      };
      stops.push(() => end().catch(() => {}));
      running.catch(() => {});
      return end;
    },
    join: async (server) => {
      const token = server.token();
      await joinMesh(invitationOf(token), {
        ...seams,
        stateDir,
        nodeName: "host-1",
        agentVersion: "0",
        signal: t.signal,
      });
    },
    workload: (id, state) =>
      eventually(`${id} is ${state}`, async () => {
        const now = await status().catch(() => undefined);
        return now?.workloads.find((one) => one.workload === id && one.state === state);
      }),
  };
}

async function joinedHost(
  t: TestContext,
  options: FakeServerOptions = {},
): Promise<{ readonly server: FakeAgentServer; readonly here: Host }> {
  const server = await FakeAgentServer.start(options);
  t.after(() => server[Symbol.asyncDispose]());
  const here = await host(t);
  await here.join(server);
  return { server, here };
}

function reviews(over: Record<string, unknown> = {}): unknown {
  return { name: "reviews", id: "reviews-v1", address: "127.61.1.1", port: 9080, protocol: "http", ...over };
}

test("a service is registered, gets its SVID and a data plane, and goes in order", async (t) => {
  const { server, here } = await joinedHost(t);
  await here.write([reviews()]);
  const stop = here.start();
  const status = await here.workload(REVIEWS, "serving");
  assert.equal(status.spiffeId, "spiffe://cluster.local/ns/default/sa/reviews");
  assert.deepEqual(status.inbound, ["127.61.1.1:9080"]);
  assert.notEqual(status.svidExpires, undefined);
  const [registered] = server.reports.at(-1)?.workloads ?? [];
  assert.equal(registered?.name, "reviews-v1");
  assert.deepEqual(registered?.ports[0], {
    name: "http-9080",
    protocol: "http",
    servicePort: 9080,
    inboundAddress: "127.61.1.1",
    inboundPort: 9080,
    appAddress: "127.61.1.2",
    appPort: 9080,
    bind: undefined,
  });
  const socket = join(here.runDir, "agent.sock");
  assert.equal((await askAdmin(socket, "/readyz")).status, 200);
  assert.equal((await stat(socket)).mode & 0o777, 0o600);
  assert.match((await askAdmin(socket, "/metrics")).body, /lateen_agent_workloads\{state="serving"\} 1/);

  await stop();
  assert.deepEqual(server.reports.at(-1)?.workloads, []);
  assert.equal(processStartTime(status.dataPlane.pid ?? 0), undefined);
});

test("services come, change and go while the agent runs", async (t) => {
  const { server, here } = await joinedHost(t);
  await here.write([]);
  here.start();
  await eventually("an agent without workloads", async () => {
    const status = await here.status().catch(() => undefined);
    return status?.discovery.state === "known" && status.workloads.length === 0;
  });
  await here.write([reviews()]);
  const first = await here.workload(REVIEWS, "serving");

  await here.write([reviews({ labels: { version: "v1" } })]);
  await eventually(
    "a report with the label",
    () => server.reports.at(-1)?.workloads[0]?.labels["version"] === "v1",
  );
  assert.equal((await here.workload(REVIEWS, "serving")).dataPlane.pid, first.dataPlane.pid);

  await here.write([]);
  await eventually("a report without it", () => server.reports.at(-1)?.workloads.length === 0);
  await eventually("its process gone", () => processStartTime(first.dataPlane.pid ?? 0) === undefined);
  await eventually(
    "its key gone",
    async () => (await readdir(join(here.stateDir, "workloads"))).length === 0,
  );
});

test("an agent that starts without server and catalog serves what it served last", async (t) => {
  const { server, here } = await joinedHost(t);
  await here.write([reviews()]);
  const stop = here.start();
  await here.workload(REVIEWS, "serving");
  await stop();
  await server[Symbol.asyncDispose]();

  here.start({ kind: "consul", consul: "http://127.0.0.1:1" });
  const status = await here.workload(REVIEWS, "serving");
  assert.notEqual(status.svidExpires, undefined);
  assert.equal((await here.status()).server.connected, false);
});

test("a workload that the server refuses is not served, and status says why", async (t) => {
  const { here } = await joinedHost(t, { refuse: () => "namespace default is not this agent's" });
  await here.write([reviews()]);
  here.start();
  const status = await here.workload(REVIEWS, "refused");
  assert.equal(status.reason, "namespace default is not this agent's");
  assert.equal((await askAdmin(join(here.runDir, "agent.sock"), "/readyz")).status, 503);
});

test("a port that is taken is told with its workload and holder, and given when it is free", async (t) => {
  const { here } = await joinedHost(t);
  const other = createServer();
  t.after(() => other.close());
  await new Promise<void>((resolve) => other.listen(0, "127.61.1.2", resolve));
  const { port } = other.address() as { port: number };
  await here.write([reviews({ upstreams: [`ratings:9080@${port}`] })]);
  here.start();
  const status = await here.workload(REVIEWS, "serving");
  assert.deepEqual(status.upstreams, []);
  const [problem] = (await here.status()).problems;
  assert.equal(problem?.code, "agent.port-taken");
  assert.equal(problem?.workload, REVIEWS);
  assert.match(problem?.message ?? "", new RegExp(`127\\.61\\.1\\.2:${port} .*process ${process.pid} \\(`));
  await new Promise((resolve) => other.close(resolve));
  await eventually(
    "the upstream",
    async () => (await here.status()).workloads[0]?.upstreams[0]?.startsWith(`127.61.1.2:${port}`),
    10_000,
  );
});

test("a second agent on the same directories is refused, and the first goes on", async (t) => {
  const { here } = await joinedHost(t);
  await here.write([reviews()]);
  here.start();
  const before = await here.workload(REVIEWS, "serving");
  await assert.rejects(here.start()(), { message: /another agent is listening/ });
  assert.equal((await here.workload(REVIEWS, "serving")).dataPlane.pid, before.dataPlane.pid);
});

test("a host that has not joined is told how", async (t) => {
  const here = await host(t);
  await assert.rejects(here.start()(), { code: "agent.join", hint: /lateen join/ });
});

test("no secret of the agent is in a bootstrap", async (t) => {
  const { here } = await joinedHost(t);
  await here.write([reviews()]);
  here.start();
  await here.workload(REVIEWS, "serving");
  const text = await readFile(join(here.runDir, "default.reviews-v1", "bootstrap.json"), "utf8");
  assert.doesNotMatch(text, /PRIVATE KEY|CERTIFICATE/);
});

test("a workload of a group starts when the server has told what that says, and again for another account", async (t) => {
  let told: string | undefined;
  const { server, here } = await joinedHost(t, {
    groups: ({ group }) =>
      told === undefined
        ? undefined
        : { workload: REVIEWS, group, serviceAccount: told, labels: {}, probe: undefined, problem: "" },
  });
  await here.write([reviews({ group: "vms" })]);
  const stop = here.start();
  const waiting = await here.workload(REVIEWS, "waiting-for-group");
  assert.deepEqual(waiting.group, { name: "vms", problem: "" });
  const [first] = server.reports.at(-1)?.workloads ?? [];
  assert.deepEqual(
    [first?.group, first?.defaulted, first?.healthy],
    ["vms", ["serviceAccount", "weight", "app"], false],
  );
  assert.deepEqual(
    server.issued.filter((id) => id.includes("/ns/")),
    [],
  );

  told = "shopper";
  await here.write([reviews({ group: "vms", labels: { a: "b" } })]);
  assert.match((await here.workload(REVIEWS, "serving")).spiffeId, /sa\/shopper$/);
  await eventually("an endpoint", () => server.reports.at(-1)?.workloads[0]?.healthy);
  assert.equal(server.reports.at(-1)?.workloads[0]?.serviceAccount, "reviews", "what is reported is its own");

  told = "buyer";
  await here.write([reviews({ group: "vms", labels: { a: "c" } })]);
  await eventually("another identity", async () => {
    const [now] = (await here.status()).workloads;
    return now?.state === "serving" && now.spiffeId.endsWith("/sa/buyer");
  });
  await stop();
});

test("without its server an agent that restarts serves the workloads of groups as before", async (t) => {
  const { server, here } = await joinedHost(t, {
    groups: ({ group }) => ({
      workload: REVIEWS,
      group,
      serviceAccount: "shopper",
      labels: {},
      probe: undefined,
      problem: "",
    }),
  });
  await here.write([reviews({ group: "vms" })]);
  const stop = here.start();
  await here.workload(REVIEWS, "serving");
  await stop();
  await server[Symbol.asyncDispose]();
  const again = here.start();
  assert.match((await here.workload(REVIEWS, "serving")).spiffeId, /sa\/shopper$/);
  await again();
});
