import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runAgent } from "../../agent/app.ts";
import { loadAgentConfig } from "../../agent/config.ts";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import type { List, ServiceReply } from "../../mesh/admin-api/replies.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { VERSION } from "../../mesh/version.ts";
import { eventually } from "../harness/eventually.ts";
import { LogBook } from "../harness/mesh-log.ts";
import { batchJob, echoJob, sidecarTasks, task } from "../harness/nomad-jobs.ts";
import { allocationOf, logOf, logsOf, type NomadLab, startNomadLab } from "../harness/nomad-lab.ts";
import { skipWithout } from "../harness/tools.ts";

const UPSTREAM = 28_080;
const PATIENCE_MS = 60_000;

interface Echo {
  readonly app: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function call(port: number): Promise<Echo | undefined> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }).catch(
    () => undefined,
  );
  return response?.status === 200 ? ((await response.json()) as Echo) : undefined;
}

/** How many endpoints a service has, how many of them are healthy, and how many meshed. */
async function counts(lab: NomadLab, service: string): Promise<readonly number[]> {
  const { items } = await lab.server.admin.get<List<ServiceReply>>("/v1/services");
  const found = items.find(({ name }) => name === service);
  return found === undefined ? [] : [found.endpoints, found.healthy, found.meshed];
}

describe("a real Nomad", { skip: skipWithout("nomad") }, () => {
  let lab: NomadLab;
  before(async () => {
    lab = await startNomadLab();
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("in node mode a tag puts allocations with host networking into the mesh, and they call each other over mTLS", async () => {
    const { nomad, directory } = lab;
    const log = new LogBook("node");
    const stateDir = join(directory, "node", "state");
    const seams = { clock: systemClock, logger: log.logger };
    await joinMesh(invitationOf(await lab.token()), {
      ...seams,
      nodeName: "client",
      stateDir,
      agentVersion: VERSION,
      signal: AbortSignal.timeout(10_000),
    });
    const discovery = { kind: "nomad", nomad: { address: nomad.address } };
    const status = { port: 0 };
    const flags = {
      stateDir,
      runDir: join(directory, "node", "run"),
      servers: [lab.server.address],
      discovery,
      status,
      address: "127.0.0.1",
    };
    const stop = new AbortController();
    const config = loadAgentConfig({ environment: {}, flags });
    const running = runAgent(config, { ...seams, signal: stop.signal, environment: process.env });
    try {
      const mesh = ["lateen.inject=true", "lateen.protocol=http"];
      await nomad.run(echoJob({ id: "api", tags: [...mesh, "lateen.port=80"], count: 2 }));
      await nomad.run(echoJob({ id: "web", tags: [...mesh, `lateen.upstreams=api:80@${UPSTREAM}`] }));
      const echo = await eventually("a call", () => call(UPSTREAM), PATIENCE_MS);
      const told = echo.headers["x-forwarded-client-cert"] ?? "";
      assert.match(
        told,
        /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/api;.*URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web$/,
      );
      const seen = new Set<string>();
      await eventually(
        "both instances",
        async () => seen.add((await call(UPSTREAM))?.app ?? "") && seen.size === 2,
        PATIENCE_MS,
      );
      await nomad.stop("api");
      await eventually("none is left", async () => (await call(UPSTREAM)) === undefined, PATIENCE_MS);
    } catch (error) {
      throw new Error(`${String(error)}\n${log.text}\n${lab.server.log.text}`, { cause: error });
    } finally {
      await nomad.stop("web");
      stop.abort();
      await running;
    }
  });

  test("a failing check takes a native service's instance out, which Nomad's own discovery does not do", async () => {
    const check = {
      Name: "alive",
      Type: "http",
      Path: "/",
      PortLabel: "http",
      Interval: 1_000_000_000,
      Timeout: 1_000_000_000,
    };
    await lab.nomad.run(echoJob({ id: "sick", tags: [], address: "127.0.0.9", checks: [check] }));
    await eventually(
      "it is unhealthy",
      async () => (await counts(lab, "sick")).join() === "1,0,0",
      PATIENCE_MS,
    );
    await lab.nomad.run(echoJob({ id: "sick", tags: [], address: "127.0.0.1", checks: [check] }));
    await eventually(
      "it is healthy",
      async () => (await counts(lab, "sick")).join() === "1,1,0",
      PATIENCE_MS,
    );
    await lab.nomad.stop("sick");
    await eventually("it is gone", async () => (await counts(lab, "sick")).length === 0, PATIENCE_MS);
  });

  test("a sidecar is in the mesh by its workload identity before its application starts, and leaves in order", async () => {
    const { nomad, environment } = lab;
    const args = ["--service", "orders=http lateen.protocol=http lateen.port=80"];
    const tasks = sidecarTasks({ args, environment });
    const ports = [{ Label: "lateen_http", To: -1 }];
    await nomad.run(
      echoJob({ id: "orders", tags: ["lateen.protocol=http", "lateen.port=80"], ports, tasks }),
    );
    const { ID, TaskStates } = await allocationOf(
      nomad,
      "orders",
      ({ TaskStates }) => TaskStates?.["echo"]?.State === "running",
    );
    const readyAt = Date.parse(TaskStates?.["lateen-ready"]?.FinishedAt ?? "");
    assert.ok(Date.parse(TaskStates?.["echo"]?.StartedAt ?? "") >= readyAt);
    await eventually(
      "it is meshed, once",
      async () => (await counts(lab, "orders")).join() === "1,1,1",
      PATIENCE_MS,
    );

    const caller = `fetch("http://127.0.0.1:${UPSTREAM + 1}/").then(async (response) => {
      console.log(response.status, await response.text());
      process.exit(response.status === 200 ? 0 : 1);
    })`;
    const client = ["--client", `report lateen.upstreams=orders:80@${UPSTREAM + 1}`];
    await nomad.run(
      batchJob("report", [...sidecarTasks({ args: client, environment }), task("report", ["-e", caller])]),
    );
    const over = await allocationOf(nomad, "report", ({ ClientStatus }) =>
      ["complete", "failed"].includes(ClientStatus),
    );
    const said = await logOf(nomad, over.ID, "report", "stdout");
    assert.match(
      said,
      /^200 .*URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/report/,
      await logsOf(nomad, over),
    );
    assert.equal(over.ClientStatus, "complete", "the batch job ends although its sidecar would go on");
    const sidecar = over.TaskStates?.["lateen"];
    assert.deepEqual([sidecar?.State, sidecar?.Failed], ["dead", false]);
    assert.equal(
      sidecar?.Events.find(({ Type }) => Type === "Terminated")?.ExitCode,
      0,
      await logsOf(nomad, over),
    );

    await nomad.stop("orders");
    await eventually("it has left", async () => (await counts(lab, "orders")).length === 0, PATIENCE_MS);
    const gone = await nomad.get<{ readonly ClientStatus: string }>(`/allocation/${ID}`);
    assert.notEqual(gone?.ClientStatus, "failed");
  });
});
