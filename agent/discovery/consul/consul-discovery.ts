import { QUERY_TIMING, type QueryTiming } from "../../../mesh/blocking/blocking-query.ts";
import { TokenBucket } from "../../../mesh/blocking/token-bucket.ts";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { backoffMs } from "../../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { Discovery, LocalService } from "../discovery.ts";
import { NOTHING_SETTLED, settle } from "../settled-services.ts";
import { NodeSignal } from "./node-signal.ts";
import { type AgentServices, type ConsulNode, parseAgentServices, parseConsulNode } from "./parse-agent.ts";

export interface ConsulDiscoveryOptions {
  /** Of the Consul agent on this host. */
  readonly client: ConsulClient;
  /** Only services that are registered at this address; undefined: all of the local agent. */
  readonly address: string | undefined;
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
 * offer. An outage keeps the last set.
 */
export class ConsulDiscovery implements Discovery {
  readonly name = "consul";
  readonly #options: ConsulDiscoveryOptions;
  readonly #timing: QueryTiming;

  constructor(options: ConsulDiscoveryOptions) {
    this.#options = options;
    this.#timing = { ...QUERY_TIMING, ...options.timing };
  }

  async *watch(signal: AbortSignal): AsyncGenerator<readonly LocalService[], void> {
    const { client, clock, logger, random } = this.#options;
    const bucket = new TokenBucket(clock, 2, this.#timing.refillMs);
    const backoff = { firstMs: this.#timing.backoffFirstMs, maxMs: this.#timing.backoffMaxMs };
    const changes = new NodeSignal(client, this.#timing);
    let settled = NOTHING_SETTLED;
    let told: string | undefined;
    let complaints = "";
    let failures = 0;
    while (!signal.aborted) {
      await bucket.take(signal);
      try {
        const node = parseConsulNode(await this.#ask("/agent/self", signal));
        // Armed before reading: a change while reading is then not missed.
        const trouble = await changes.arm(node.name, signal);
        const answer = await this.#read(node, signal);
        complaints = complain(logger, answer, complaints);
        settled = settle(settled, answer, failures > 0);
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

  async #read(node: ConsulNode, signal: AbortSignal): Promise<AgentServices> {
    const [services, checks] = await Promise.all([
      this.#ask("/agent/services", signal),
      this.#ask("/agent/checks", signal),
    ]);
    const answer = parseAgentServices(node, services, checks);
    const { address } = this.#options;
    if (address === undefined) return answer;
    return { ...answer, services: answer.services.filter((service) => service.address.address === address) };
  }

  async #ask(path: string, signal: AbortSignal): Promise<unknown> {
    const { body } = await this.#options.client.get({ path, timeoutMs: this.#timing.patienceMs }, signal);
    return body;
  }

  #lament(error: unknown): void {
    const { message, hint } = MeshError.from(error, "registry.unavailable");
    this.#options.logger.warn("the local consul agent cannot be asked, the last known services stay", {
      error: message,
      hint,
    });
  }
}

/** Logs what cannot be used, once until it is something else. */
function complain(logger: Logger, { problems }: AgentServices, before: string): string {
  const text = JSON.stringify(problems);
  if (text !== before) {
    for (const problem of problems)
      logger.warn("a service of the local consul agent cannot be used as it is", problem);
  }
  return text;
}
