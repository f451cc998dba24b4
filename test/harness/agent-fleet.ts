import { spawn } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { AgentState } from "../../agent/identity/agent-state.ts";
import { parseAgentSvid } from "../../agent/identity/agent-state.ts";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import { loadServerConfig } from "../../controlplane/config.ts";
import { openServerState, type ServerState } from "../../controlplane/server-state.ts";
import { agentSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import type { Workload } from "../../mesh/model/workload.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { PLAIN_SIDECAR } from "../fakes/sample-mesh.ts";
import { adminAt } from "./admin-at.ts";
import { eventually } from "./eventually.ts";

const LATEEN = resolve(import.meta.dirname, "../../cli/lateen.js");

/** A server in a process of its own, which knows agents that have joined before; their states are told. */
export interface Fleet extends AsyncDisposable {
  readonly address: string;
  readonly healthPort: number;
  readonly admin: ReturnType<typeof adminAt>;
  readonly bundle: TrustBundle;
  readonly agents: readonly AgentState[];
  readonly directory: string;
  /** What the server has used so far. */
  cpuSeconds(): number;
}

/**
 * Each agent has a workload placed on its host, `default/web-<n>`, of an account of its own; it has declared upstreams, and
 * so none, unless `discovery` says otherwise.
 */
export async function startFleet(
  count: number,
  discovery: Workload["discovery"] = PLAIN_SIDECAR.discovery,
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "lateen-fleet-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [port, healthPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const flags = {
    stateDir: join(directory, "server"),
    runDir: join(directory, "run"),
    agents: { address: "127.0.0.1", port },
    health: { port: healthPort },
    admin: { port: adminPort },
    logLevel: "warn" as const,
  };
  const address = `127.0.0.1:${port}`;
  const { agents, bundle } = await prepare(flags, count, address, discovery);
  const file = join(directory, "server.yaml");
  await writeFile(file, JSON.stringify(flags), { mode: 0o600 });
  const server = spawn(process.execPath, [LATEEN, "server", "--config", file], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  stack.defer(async () => {
    server.kill("SIGKILL");
    await once(server, "exit");
  });
  const admin = stack.use(adminAt(join(directory, "run", "admin.sock")));
  await eventually(
    "the server",
    () =>
      admin
        .get("/v1/bans")
        .then(() => true)
        .catch(() => false),
    20_000,
  );
  const rest = stack.move();
  return {
    address,
    healthPort,
    admin,
    bundle,
    agents,
    directory,
    cpuSeconds: () => cpuSecondsOf(server.pid ?? 0),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** proc(5): user and system time, in ticks of a hundredth of a second. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** On the server's own state, before it starts: joining takes turns, and is not what is measured. */
async function prepare(
  flags: Readonly<Record<string, unknown>>,
  count: number,
  address: string,
  discovery: Workload["discovery"],
): Promise<Pick<Fleet, "agents" | "bundle">> {
  const config = loadServerConfig({ environment: {}, flags });
  const { signal } = new AbortController();
  await using state = await openServerState(config, { clock: systemClock, logger: silentLogger, signal });
  const agents = await Promise.all(
    Array.from({ length: count }, (_, index) => enrolled(state, `agent-${index}`, index, address, discovery)),
  );
  return { agents, bundle: state.ca.bundle };
}

async function enrolled(
  { agents, placements, ca }: ServerState,
  agentId: string,
  index: number,
  address: string,
  discovery: Workload["discovery"],
): Promise<AgentState> {
  const { trustDomain } = ca.bundle;
  const attested = { method: "join-token", subject: "", keyHash: "", ttlMs: undefined } as const;
  agents.put({ id: agentId, nodeName: `host-${index}`, version: "0", binding: UNBOUND, attested });
  placements.replace(agentId, [
    {
      ...PLAIN_SIDECAR,
      discovery,
      name: `web-${index}`,
      namespace: "default",
      service: "web",
      serviceAccount: `web-${index}`,
      labels: {},
      ports: [],
      upstreams: [],
      healthy: true,
      weight: 1,
      locality: "",
      dataPlane: "builtin",
      catalog: undefined,
      group: undefined,
    },
  ]);
  const { publicKeyDer, keyPem } = newKeyPair();
  const { chain } = await ca.issue({ spiffeId: agentSpiffeId(trustDomain, agentId), publicKeyDer, agentId });
  const svid = parseAgentSvid(chain, keyPem, trustDomain, agentId);
  return { agentId, trustDomain, servers: [address], svid };
}

function newKeyPair(): { readonly publicKeyDer: Buffer; readonly keyPem: string } {
  const key: KeyObject = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
  return {
    publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
    keyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}
