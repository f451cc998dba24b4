import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AdminClient } from "../../cli/client.ts";
import type {
  ApplyReply,
  CreatedTokenReply,
  DeleteReply,
  List,
  ProxyReply,
  SyncReply,
  TokenBinding,
} from "../../mesh/admin-api/replies.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { eventually } from "./eventually.ts";
import { type CallOptions, httpCall, type Reply, type TcpReply, tcpCall } from "./mesh-calls.ts";
import {
  type CatalogKind,
  embeddedCatalog,
  fakeConsulCatalog,
  type MeshCatalog,
  realConsulCatalog,
} from "./mesh-catalog.ts";
import { loopbackGround, type MeshGround } from "./mesh-ground.ts";
import { MeshHost } from "./mesh-host.ts";
import { MeshServer } from "./mesh-server.ts";
import { bindPortOf, type HostSpec, namespaceOf, portOf, serviceAccountOf } from "./mesh-topology.ts";
import { type CliResult, runCli } from "./run-cli.ts";

export const DATA_PLANES = ["builtin", "envoy"] as const;
export type DataPlaneKind = (typeof DATA_PLANES)[number];

export interface MeshOptions {
  readonly dataPlane: DataPlaneKind;
  /** Default `embedded`. */
  readonly catalog?: CatalogKind;
  readonly hosts: readonly HostSpec[];
  readonly leafTtlSeconds?: number;
  /** Life of the agents' own certificates. */
  readonly agentTtlSeconds?: number;
  /** Pace of a change of the CA. */
  readonly rotation?: { readonly renewWithinSeconds: number; readonly awayAfterSeconds: number };
  /** Names of hosts whose agent is a process of its own. */
  readonly agentProcesses?: readonly string[];
  /** Default: loopback addresses of this machine. */
  readonly ground?: MeshGround;
  /** Starts the built-in proxy. Default: from its sources. */
  readonly proxyCommand?: readonly string[];
}

/** Those that tests apply, what refers before what is referred to. */
const KINDS = [
  "VirtualService",
  "DestinationRule",
  "PeerAuthentication",
  "RequestAuthentication",
  "AuthorizationPolicy",
  "Gateway",
  "ServiceEntry",
  "WorkloadGroup",
  "Sidecar",
  "MeshConfig",
  "Secret",
  "MeshConfig",
] as const;

const TRUST_DOMAIN = "e2e.local";
const START_LIMIT_MS = 30_000;

/**
 * Brings up a whole mesh: the control plane and the agents in this process, data planes as the processes that they are,
 * echo applications, each simulated host with addresses of its own. Resolves when every workload is served and SYNCED.
 */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const stack = new AsyncDisposableStack();
  try {
    const directory = await mkdtemp(join(tmpdir(), "lateen-e2e-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    stack.defer(() => assertNothingLeft(directory));
    const ground = options.ground ?? (await loopbackGround());
    const catalog: MeshCatalog = stack.use(await openCatalog(options.catalog, () => server.admin));
    const server: MeshServer = stack.use(
      new MeshServer({
        directory,
        ...ground.server,
        trustDomain: TRUST_DOMAIN,
        consul: catalog.consul,
        leafTtlSeconds: options.leafTtlSeconds,
        agentTtlSeconds: options.agentTtlSeconds,
        rotation: options.rotation,
      }),
    );
    await server.start();
    const hosts = await Promise.all(
      options.hosts.map(async (spec, index) => {
        const place = await ground.place(spec, index);
        const { dataPlane = options.dataPlane } = spec;
        const { proxyCommand } = options;
        return new MeshHost({ ...place, directory, dataPlane, consul: catalog.consul, proxyCommand });
      }),
    );
    const mesh = new Mesh({ options, directory, server, catalog, hosts, rest: stack });
    // Agents leave together, before the server that they tell about it.
    stack.defer(async () => {
      await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
    });
    await mesh.start();
    return mesh;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A running mesh of a test. */
export class Mesh implements AsyncDisposable {
  readonly dataPlane: DataPlaneKind;
  readonly trustDomain: string = TRUST_DOMAIN;
  readonly directory: string;
  readonly server: MeshServer;
  readonly catalog: MeshCatalog;
  readonly hosts: readonly MeshHost[];
  readonly #options: MeshOptions;
  readonly #rest: AsyncDisposableStack;

  constructor(parts: {
    readonly options: MeshOptions;
    readonly directory: string;
    readonly server: MeshServer;
    readonly catalog: MeshCatalog;
    readonly hosts: readonly MeshHost[];
    readonly rest: AsyncDisposableStack;
  }) {
    this.#options = parts.options;
    this.dataPlane = parts.options.dataPlane;
    this.directory = parts.directory;
    this.server = parts.server;
    this.catalog = parts.catalog;
    this.hosts = parts.hosts;
    this.#rest = parts.rest;
  }

  get admin(): AdminClient {
    return this.server.admin;
  }

  host(name: string): MeshHost {
    const host = this.hosts.find(({ spec }) => spec.name === name);
    if (host === undefined) throw new Error(`the mesh has no host ${name}`);
    return host;
  }

  spiffeId(name: string): string {
    const { spec } = this.host(name);
    return `spiffe://${TRUST_DOMAIN}/ns/${namespaceOf(spec)}/sa/${serviceAccountOf(spec)}`;
  }

  async start(): Promise<void> {
    const services = this.hosts.filter(({ spec }) => spec.gateway === undefined);
    await Promise.all(services.map(({ spec }) => this.catalog.register(spec)));
    await Promise.all(
      this.hosts.map(async (host) => {
        const { spec } = host;
        const binding = { namespace: namespaceOf(spec), serviceAccounts: [serviceAccountOf(spec)] };
        await host.join(await this.token({ ...binding, node: spec.name }));
        if (host.isApart || this.#options.agentProcesses?.includes(spec.name)) await host.startAgentProcess();
        else host.startAgent();
      }),
    );
    await this.synced();
  }

  async token(binding: TokenBinding = {}, ttlMs?: number): Promise<string> {
    const { token } = await this.admin.post<CreatedTokenReply>("/v1/tokens", { ...binding, ttlMs });
    return token;
  }

  /** Waits until every workload is served and has all that the server has for it. */
  async synced(): Promise<void> {
    await Promise.all(
      this.hosts.map((host) =>
        host.workloadStatus("is served", ({ state }) => state === "serving", START_LIMIT_MS),
      ),
    );
    await eventually(
      "every proxy SYNCED",
      async () => {
        const proxies = await this.proxies();
        return this.hosts.every(({ workload }) =>
          proxies.some((one) => one.workload === workload && isSynced(one)),
        );
      },
      START_LIMIT_MS,
    );
  }

  async proxies(): Promise<readonly ProxyReply[]> {
    return (await this.admin.get<List<ProxyReply>>("/v1/proxy-status")).items;
  }

  async proxy(host: string): Promise<ProxyReply | undefined> {
    const { workload } = this.host(host);
    return (await this.proxies()).find((one) => one.workload === workload);
  }

  /** Applies YAML and waits until every connected proxy has answered; throws when one refused. */
  async apply(yaml: string): Promise<void> {
    const { snapshot } = await this.admin.post<ApplyReply>("/v1/apply", yaml);
    await this.#acknowledged(snapshot);
  }

  async delete(kind: string, name: string, namespace = "default"): Promise<void> {
    const { snapshot } = await this.admin.delete<DeleteReply>(`/v1/objects/${kind}/${namespace}/${name}`);
    await this.#acknowledged(snapshot);
  }

  /** Removes every object of the mesh: a test leaves it as it found it. */
  async deleteAll(): Promise<void> {
    for (const kind of KINDS) {
      const { items } = await this.admin.get<List<{ readonly namespace: string; readonly name: string }>>(
        `/v1/objects/${kind}`,
      );
      for (const { namespace, name } of items) await this.delete(kind, name, namespace);
    }
  }

  /** A call as the application on a host makes it: through the listener of one of its upstreams. */
  async call(from: string, upstream: string, path = "/", options: CallOptions = {}): Promise<Reply> {
    const { spec } = this.host(from);
    return httpCall(`http://${spec.loopback}:${bindPortOf(spec, upstream)}`, path, options);
  }

  /** That many calls, one after the other on each of four lanes; how many each application answered. */
  async tally(
    count: number,
    from: string,
    upstream: string,
    path = "/",
    options: CallOptions = {},
  ): Promise<Readonly<Record<string, number>>> {
    const seen: Record<string, number> = {};
    let left = count;
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const reply = await this.call(from, upstream, path, options);
        const who = reply.echo?.app ?? `${reply.status} ${reply.failure}${reply.body}`;
        seen[who] = (seen[who] ?? 0) + 1;
      }
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    return seen;
  }

  /** Calls without a pause, on some lanes, while some work goes on; every call that did not get a 200 is told. */
  async underTraffic(
    from: string,
    upstream: string,
    work: () => Promise<void>,
    lanes = 2,
  ): Promise<{ readonly calls: number; readonly failures: readonly string[] }> {
    let calls = 0;
    const over = new AbortController();
    const failures: string[] = [];
    const lane = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { status, failure, body } = await this.call(from, upstream);
        calls += 1;
        if (status !== 200) failures.push(`${status} ${failure}${body}`);
        await delay(2);
      }
    };
    const running = Array.from({ length: lanes }, lane);
    try {
      await work();
    } finally {
      over.abort();
      await Promise.all(running);
    }
    return { calls, failures };
  }

  async tcpCall(from: string, upstream: string, text?: string): Promise<TcpReply> {
    const { spec } = this.host(from);
    return tcpCall(spec.loopback, bindPortOf(spec, upstream), text);
  }

  /** A call from outside the mesh: plain HTTP to a host's address. */
  async plaintext(to: string, path = "/", options: CallOptions = {}): Promise<Reply> {
    const { spec } = this.host(to);
    return httpCall(`http://${spec.address}:${portOf(spec)}`, path, options);
  }

  /** One `lateen` command line against this mesh's server. */
  async cli(argv: readonly string[], stdin = ""): Promise<CliResult> {
    return runCli(argv, {
      clock: systemClock,
      environment: { LATEEN_ADDR: `unix://${this.server.adminSocket}` },
      readStdin: async () => stdin,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rest.disposeAsync();
  }

  async #acknowledged(snapshot: number | undefined): Promise<void> {
    const sync = await this.admin.get<SyncReply>(`/v1/sync?snapshot=${snapshot ?? 0}&timeoutMs=10000`);
    const [rejected] = sync.rejected;
    if (rejected !== undefined) {
      throw new Error(`${rejected.workload} refused a ${rejected.type}: ${rejected.message}`);
    }
    if (sync.acked < sync.total) throw new Error(`${sync.acked} of ${sync.total} proxies acknowledged`);
  }
}

export function isSynced({ types }: ProxyReply): boolean {
  return Object.values(types).every(({ state }) => state === "SYNCED" || state === "IGNORED");
}

async function openCatalog(kind: CatalogKind = "embedded", admin: () => AdminClient): Promise<MeshCatalog> {
  switch (kind) {
    case "embedded":
      return embeddedCatalog(admin);
    case "consul":
      return realConsulCatalog();
    case "fake-consul":
      return fakeConsulCatalog();
    default:
      return kind satisfies never;
  }
}

/** Data planes are told by the bootstrap file in their command line, which is in the mesh's own folder. */
function assertNothingLeft(directory: string): void {
  const left = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(directory) ? [`${pid}: ${command}`] : [];
      } catch {
        return [];
      }
    });
  if (left.length > 0) throw new Error(`the mesh left processes behind:\n${left.join("\n")}`);
}
