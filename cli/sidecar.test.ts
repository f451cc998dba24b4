import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../test/harness/run-cli.ts";
import { sidecarConfig } from "./commands/agent-sidecar.ts";

const TASK = {
  NOMAD_ALLOC_ID: "228d104e-e160-dd99-14e0-1cf784384419",
  NOMAD_GROUP_NAME: "app",
  NOMAD_TASK_NAME: "lateen",
  NOMAD_SECRETS_DIR: "/secrets",
  NOMAD_ALLOC_DIR: "/alloc",
  LATEEN_AGENT_SERVERS: "mesh.example:15012",
  LATEEN_AGENT_JOIN_CA_PIN: "A".repeat(43),
};

type Context = Parameters<typeof sidecarConfig>[1];

function configOf(
  environment: Readonly<Record<string, string>>,
  options: object = {},
): ReturnType<typeof sidecarConfig> {
  return sidecarConfig({ service: ["reviews=http"], ...options }, { environment } as unknown as Context);
}

test("a sidecar has its places in the allocation and proves itself by its workload identity", () => {
  const config = configOf(TASK);
  assert.equal(config.nodeName, "app-228d104e");
  assert.equal(config.stateDir, "/secrets/lateen/state");
  assert.equal(config.runDir, "/secrets/run");
  assert.deepEqual(config.status, { address: "127.0.0.1", port: 0, socket: "/alloc/lateen.sock" });
  assert.equal(config.join?.method, "nomad-jwt");
  const { services, clients, catalog } = config.discovery.sidecar;
  assert.deepEqual([services, clients, catalog], [["reviews=http"], [], "nomad"]);
});

test("what is said otherwise counts: variables, then flags", () => {
  const given = {
    LATEEN_AGENT_STATE_DIR: "/local/state",
    LATEEN_AGENT_NODE_NAME: "mine",
    NOMAD_PORT_lateen_status: "25000",
  };
  const config = configOf(
    { ...TASK, ...given },
    { stateDir: "/flag/state", client: ["report"], catalog: "consul/vm1" },
  );
  assert.deepEqual([config.stateDir, config.nodeName, config.status.port], ["/flag/state", "mine", 25_000]);
  assert.deepEqual(config.discovery.sidecar.clients, ["report"]);
  assert.equal(config.discovery.sidecar.catalog, "consul/vm1");
});

test("where a socket's path would be too long, sockets are elsewhere", () => {
  const secrets = `/opt/nomad/data/alloc/${TASK.NOMAD_ALLOC_ID}/a-task-with-a-long-name/secrets`;
  const { runDir } = configOf({ ...TASK, NOMAD_SECRETS_DIR: secrets });
  assert.equal(runDir, join(tmpdir(), "lateen-228d104e-lateen"));
});

test("outside of a task of Nomad's a sidecar says what it is for", () => {
  assert.throws(() => configOf({}), { code: "config.invalid", message: /NOMAD_ALLOC_ID is not set/ });
});

/** An agent that says this of itself at a socket; called once for each question. */
async function agentSaying(path: string, say: () => unknown): Promise<AsyncDisposable> {
  const server: Server = createServer((_, response) => response.end(JSON.stringify(say())));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SERVING = { discovery: { state: "known" }, workloads: [{ workload: "default/web", state: "serving" }] };
const WAITING = { ...SERVING, workloads: [{ workload: "default/web", state: "waiting-for-svid" }] };

test("wait ends when every workload is served, and asks the sidecar of its allocation", async () => {
  const shared = await mkdtemp(join(tmpdir(), "lateen-alloc-"));
  try {
    const answers = [{ discovery: { state: "waiting" }, workloads: [] }, WAITING];
    await using _ = await agentSaying(join(shared, "lateen.sock"), () => answers.shift() ?? SERVING);
    const { code } = await runCli(["wait", "--ready"], { environment: { NOMAD_ALLOC_DIR: shared } });
    assert.equal(code, 0);
    assert.deepEqual(answers, []);
  } finally {
    await rm(shared, { recursive: true });
  }
});

test("wait gives up and says what is not ready", async () => {
  const shared = await mkdtemp(join(tmpdir(), "lateen-alloc-"));
  try {
    const socket = join(shared, "agent.sock");
    const wait = ["wait", "--ready", "--timeout", "0", "--socket", socket];
    const silent = await runCli(wait);
    assert.deepEqual([silent.code, /not ready: reach the server/.test(silent.stderr)], [1, true]);
    await using _ = await agentSaying(socket, () => WAITING);
    const { code, stderr } = await runCli(wait);
    assert.deepEqual([code, stderr], [1, "not ready: default/web is waiting-for-svid\n"]);
  } finally {
    await rm(shared, { recursive: true });
  }
});
