import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runAgent } from "../../agent/app.ts";
import { loadAgentConfig } from "../../agent/config.ts";
import { askAdmin } from "../../agent/dataplane/admin-client.ts";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { joinMesh } from "../../agent/identity/join.ts";
import type { AgentStatus, WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { VERSION } from "../../mesh/version.ts";
import { eventually } from "./eventually.ts";
import { lateenIn } from "./lateen-process.ts";
import type { EchoApp } from "./mesh-apps.ts";
import { LogBook } from "./mesh-log.ts";
import {
  labelsOf,
  namespaceOf,
  type PlacedHost,
  portOf,
  protocolOf,
  serviceAccountOf,
  upstreamsOf,
} from "./mesh-topology.ts";
import type { Namespace } from "./network-lab.ts";
import { requireTool } from "./tools.ts";

export interface MeshHostOptions {
  readonly spec: PlacedHost;
  readonly directory: string;
  readonly dataPlane: "builtin" | "envoy";
  /** Undefined: the agent reads a file, and the embedded catalog has the instance. */
  readonly consul: string | undefined;
  readonly app: EchoApp;
  /** Where its agent runs, as a process of its own; undefined: on this machine as it is. */
  readonly within: Namespace | undefined;
  /** Starts the built-in proxy, for an agent in this process; undefined: from its sources. */
  readonly proxyCommand?: readonly string[] | undefined;
}

/** A simulated host: its application and its agent, in this process unless a test wants to kill it. */
export class MeshHost implements AsyncDisposable {
  readonly spec: PlacedHost;
  readonly app: EchoApp;
  readonly log: LogBook;
  readonly stateDir: string;
  readonly runDir: string;
  readonly #options: MeshHostOptions;
  #agent: { readonly stop: () => Promise<void>; readonly child?: ChildProcess } | undefined;

  constructor(options: MeshHostOptions) {
    this.#options = options;
    this.spec = options.spec;
    this.app = options.app;
    this.log = new LogBook(options.spec.name);
    this.stateDir = join(options.directory, options.spec.name, "state");
    this.runDir = join(options.directory, options.spec.name, "run");
  }

  /** Its agent is not in this process's network. */
  get isApart(): boolean {
    return this.#options.within !== undefined;
  }

  /** `namespace/name`. */
  get workload(): string {
    return `${namespaceOf(this.spec)}/${this.spec.name}`;
  }

  async join(token: string): Promise<void> {
    await mkdir(join(this.#options.directory, this.spec.name), { recursive: true, mode: 0o700 });
    await this.writeServices([this.service()]);
    if (this.#options.within !== undefined) return this.#joinWithin(this.#options.within, token);
    await joinMesh(invitationOf(token), {
      nodeName: this.spec.name,
      stateDir: this.stateDir,
      agentVersion: VERSION,
      clock: systemClock,
      logger: this.log.logger,
      signal: AbortSignal.timeout(10_000),
    });
  }

  /** What the agent's service file says of this host's workload. */
  service(over: Readonly<Record<string, unknown>> = {}): unknown {
    const { spec } = this;
    return {
      id: spec.name,
      name: spec.service,
      namespace: namespaceOf(spec),
      serviceAccount: serviceAccountOf(spec),
      address: spec.address,
      port: portOf(spec),
      protocol: protocolOf(spec),
      labels: labelsOf(spec),
      upstreams: upstreamsOf(spec),
      ...(spec.discovery && { discovery: spec.discovery }),
      ...(spec.httpProxy && { httpProxy: spec.httpProxy }),
      ...(spec.captured && { interception: "redirect" }),
      registry: "embedded",
      ...over,
    };
  }

  async writeServices(services: readonly unknown[]): Promise<void> {
    await writeFile(this.#servicesFile, JSON.stringify({ services }), { mode: 0o600 });
  }

  /** Starts the agent in this process. */
  startAgent(): void {
    const stop = new AbortController();
    const running = runAgent(loadAgentConfig({ environment: {}, flags: this.#flags }), {
      clock: systemClock,
      logger: this.log.logger,
      signal: stop.signal,
      environment: process.env,
      ...(this.#options.proxyCommand && { proxyCommand: this.#options.proxyCommand }),
    });
    running.catch((error: unknown) => this.log.logger.error("the agent ended", { error: String(error) }));
    this.#agent = {
      stop: async () => {
        stop.abort();
        await running;
      },
    };
  }

  /** Starts the agent as a process of its own: `lateen agent --config FILE`. */
  async startAgentProcess(): Promise<ChildProcess> {
    const file = await this.#writeConfig();
    const child = lateenIn(this.#options.within, ["agent", "--config", file], this.log.logger);
    const gone = once(child, "exit");
    const stop = async (): Promise<void> => {
      child.kill("SIGTERM");
      await gone;
    };
    this.#agent = { stop, child };
    return child;
  }

  /** Ends the agent in order: it deregisters, drains and stops its data plane. */
  async stopAgent(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.stop();
  }

  /** Ends an agent's process, without a chance to tidy up unless by another signal; its data plane is left running. */
  async killAgentProcess(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#agent?.child;
    if (child === undefined) throw new Error(`${this.spec.name} has no agent process`);
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
    this.#agent = undefined;
  }

  async status(): Promise<AgentStatus> {
    return JSON.parse((await askAdmin(join(this.runDir, "agent.sock"), "/status")).body) as AgentStatus;
  }

  /** Waits until the agent says of its workload what is asked. */
  async workloadStatus(
    question: string,
    holds: (status: WorkloadStatus) => boolean,
    withinMs = 20_000,
  ): Promise<WorkloadStatus> {
    return eventually(
      `${this.workload} ${question}`,
      async () => {
        const status = await this.status().catch(() => undefined);
        return status?.workloads.find((one) => one.workload === this.workload && holds(one));
      },
      withinMs,
    );
  }

  async serving(): Promise<WorkloadStatus> {
    return this.workloadStatus("is served", ({ state }) => state === "serving");
  }

  /** An answer of the data plane's admin interface. */
  async askProxy(path: string): Promise<string> {
    const socket = join(this.runDir, `${namespaceOf(this.spec)}.${this.spec.name}`, "admin.sock");
    return (await askAdmin(socket, path)).body;
  }

  /** The workload's certificate chain and key, as the agent keeps them. */
  async svid(): Promise<{ readonly cert: string; readonly key: string }> {
    const folder = `${namespaceOf(this.spec)}.${this.spec.name}`;
    return this.#pair(join(this.stateDir, "workloads", folder, "svid.json"));
  }

  /** The agent's own certificate and key. */
  async agentCertificate(): Promise<{ readonly cert: string; readonly key: string }> {
    return this.#pair(join(this.stateDir, "identity", "agent.json"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgent();
    await this.app[Symbol.asyncDispose]();
  }

  async #pair(path: string): Promise<{ readonly cert: string; readonly key: string }> {
    const { chainPem, keyPem } = JSON.parse(await readFile(path, "utf8")) as Record<string, string>;
    return { cert: chainPem ?? "", key: keyPem ?? "" };
  }

  async #joinWithin(within: Namespace, token: string): Promise<void> {
    const folder = dirname(await this.#writeConfig());
    const joining = lateenIn(within, ["join", "--no-start", "--dir", folder], this.log.logger, {
      LATEEN_JOIN_TOKEN: token,
    });
    const [code] = (await once(joining, "exit")) as [number | null];
    if (code !== 0) throw new Error(`${this.spec.name} could not join:\n${this.log.text}`);
  }

  async #writeConfig(): Promise<string> {
    const file = join(this.#options.directory, this.spec.name, "agent.yaml");
    await writeFile(file, JSON.stringify(this.#flags), { mode: 0o600 });
    return file;
  }

  get #servicesFile(): string {
    return join(this.#options.directory, this.spec.name, "services.json");
  }

  /** Where the agent finds the host's workload. */
  #workloads(consul: string | undefined): Readonly<Record<string, unknown>> {
    const { spec } = this;
    if (spec.gateway !== undefined) {
      const { name, service } = spec;
      const identity = { namespace: namespaceOf(spec), serviceAccount: serviceAccountOf(spec) };
      return { discovery: { kind: "none" }, gateways: [{ name, service, ...identity, ...spec.gateway }] };
    }
    const discovery =
      consul === undefined ? { kind: "file", path: this.#servicesFile } : { kind: "consul", consul };
    return { discovery };
  }

  get #flags(): Readonly<Record<string, unknown>> {
    const { dataPlane, consul } = this.#options;
    return {
      nodeName: this.spec.name,
      address: this.spec.address,
      loopback: this.spec.loopback,
      ...(this.spec.network === undefined ? {} : { network: this.spec.network }),
      ...this.#workloads(consul),
      dataPlane,
      ...(dataPlane === "envoy" ? { envoy: requireTool("envoy") } : {}),
      stateDir: this.stateDir,
      runDir: this.runDir,
      status: { port: 0 },
      dns: { listen: [] },
      drainSeconds: 1,
    };
  }
}
