import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import { QUERY_TIMING, type QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import { TokenBucket } from "../../../mesh/blocking/token-bucket.ts";
import { CATALOG_READING, type CatalogReading } from "../../../mesh/consul/catalog-reading.ts";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { backoffMs } from "../../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { logFindings } from "../../host/log-findings.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { KeptTexts } from "../kept-texts.ts";
import { NOTHING_SETTLED, type SettledServices, settle } from "../settled-services.ts";
import { adoptUpstreams } from "./adopted-upstreams.ts";
import { NodeSignal } from "./node-signal.ts";
import {
  type AgentAnswer,
  type AgentServices,
  type ConsulNode,
  parseAgentServices,
  parseConsulNode,
} from "./parse-agent.ts";
import { answersOf, type Registered, textsOf } from "./registered.ts";
import { registrationFindings } from "./registration-findings.ts";

export interface ConsulDiscoveryOptions {
  /** Of the Consul agent on this host. */
  readonly client: ConsulClient;
  /** Only services that are registered at this address; undefined: all of the local agent. */
  readonly address: string | undefined;
  /** Of Consul Enterprise; none: the token's own. */
  readonly namespaces?: readonly string[];
  readonly reading?: CatalogReading;
  /** What Consul's sidecars call is called by their services, too. */
  readonly adoptsSidecars?: boolean;
  /** Where the last good registrations are kept over a restart; undefined: nowhere. */
  readonly stateDir?: string;
  readonly clock: Clock;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly logger: Logger;
  readonly timing?: Partial<QueryTiming>;
}

/**
 * The services that are registered with the Consul agent of this host and want to be in the mesh
 * (`lateen.inject=true`). What they are is read from the agent itself, which knows it without its servers; that it may
 * have changed is learnt from blocking queries for this node in the catalog, which the agent's own endpoints do not
 * offer. An outage keeps the last set, and a registration that cannot be used what it last said, also over a restart.
 */
export class ConsulDiscovery implements Discovery {
  readonly name = "consul";
  readonly #options: ConsulDiscoveryOptions;
  readonly #timing: QueryTiming;
  readonly #reading: CatalogReading;
  readonly #namespaces: readonly string[];
  readonly #keeper: KeptTexts | undefined;
  #kept: ReadonlyMap<string, string> = new Map();
  #findings: readonly HostFinding[] = [];

  constructor(options: ConsulDiscoveryOptions) {
    const { namespaces = [], reading = CATALOG_READING, stateDir } = options;
    this.#options = options;
    this.#timing = { ...QUERY_TIMING, ...options.timing };
    this.#reading = reading;
    this.#namespaces = namespaces.length === 0 ? [""] : namespaces;
    this.#keeper =
      stateDir === undefined
        ? undefined
        : new KeptTexts({ ...options, stateDir, file: "consul-services.json" });
  }

  get findings(): readonly HostFinding[] {
    return this.#findings;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const { client, clock, logger, random } = this.#options;
    const bucket = new TokenBucket(clock, 2, this.#timing.refillMs);
    const backoff = { firstMs: this.#timing.backoffFirstMs, maxMs: this.#timing.backoffMaxMs };
    const changes = new NodeSignal(client, this.#timing, this.#namespaces.map(scopeOf));
    let settled: SettledServices | undefined;
    let told: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      await bucket.take(signal);
      try {
        const { body } = await this.#ask("/agent/self", "", signal);
        const node = parseConsulNode(body);
        settled ??= await this.#restore(node);
        // Armed before reading: a change while reading is then not missed.
        const trouble = await changes.arm(node.name, signal);
        const registered = await this.#register(node, signal);
        const answer = this.#read(registered);
        this.#find(answer);
        // What a restart found is no loss: it was taken away while nobody looked.
        settled = settle(settled, answer, failures > 0 && told !== undefined);
        this.#kept = textsOf(registered, answer, this.#kept);
        await this.#keeper?.write(this.#kept);
        const text = JSON.stringify(settled.services);
        if (text !== told) {
          told = text;
          yield settled.services;
        }
        if (trouble !== undefined) throw trouble;
        if (failures > 0) logger.info("the local consul agent answers again", { held: settled.held.length });
        failures = 0;
        await changes.next(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) this.#lament(error);
        changes.reset();
        await clock.sleep(backoffMs(backoff, failures++, random()), signal);
      }
    }
  }

  /** What was here before a restart: it counts for what is refused now, and for nothing else. */
  async #restore(node: ConsulNode): Promise<SettledServices> {
    this.#kept = (await this.#keeper?.read()) ?? new Map();
    if (this.#kept.size === 0) return NOTHING_SETTLED;
    return { services: this.#read({ node, answers: answersOf(this.#kept) }).services, held: [] };
  }

  async #register(node: ConsulNode, signal: AbortSignal): Promise<Registered> {
    const asked = this.#namespaces.map(async (namespace): Promise<readonly [string, AgentAnswer]> => {
      const [services, checks] = await Promise.all([
        this.#ask("/agent/services", namespace, signal),
        this.#ask("/agent/checks", namespace, signal),
      ]);
      return [namespace, { services: services.body, checks: checks.body }];
    });
    return { node, answers: new Map(await Promise.all(asked)) };
  }

  #read({ node, answers }: Registered): AgentServices {
    const { address, adoptsSidecars = false } = this.#options;
    const all = [...answers.values()].map((answer) => {
      const read = parseAgentServices(node, answer, this.#reading);
      return adoptsSidecars ? adoptUpstreams(read, answer.services, node) : read;
    });
    const services = all.flatMap((one) => one.services);
    return {
      services: services.filter((service) => address === undefined || service.address.address === address),
      refused: new Map(all.flatMap((one) => [...one.refused])),
      problems: all.flatMap((one) => one.problems),
    };
  }

  #find({ problems }: AgentServices): void {
    const before = this.#findings;
    this.#findings = registrationFindings(problems);
    logFindings(this.#options.logger, this.#findings, before);
  }

  #ask(path: string, namespace: string, signal: AbortSignal): ReturnType<ConsulClient["get"]> {
    const query = scopeOf(namespace);
    return this.#options.client.get({ path, query, timeoutMs: this.#timing.patienceMs }, signal);
  }

  #lament(error: unknown): void {
    const { message, hint } = MeshError.from(error, "registry.unavailable");
    this.#options.logger.warn("the local consul agent cannot be asked, the last known services stay", {
      error: message,
      hint,
    });
  }
}

function scopeOf(namespace: string): Readonly<Record<string, string>> {
  return namespace === "" ? {} : { ns: namespace };
}
