import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import type { RotationReadiness } from "../ca/rotation.ts";

/** What an agent said last of what is in use on its host. */
interface Acknowledged {
  readonly sequence: number;
  readonly authorities: readonly string[];
}

export interface AgentBundlesOptions {
  readonly agents: { list(): readonly Pick<AgentRecord, "id" | "nodeName" | "lastSeen" | "banned">[] };
  readonly clock: Clock;
  /**
   * An agent that was not heard of for this long is away, and nothing waits for it. Shorter than it takes agents to come
   * back after a restart of the server, and a rotation would go on without them.
   */
  readonly awayAfterMs: number;
}

/** Which trust bundle is in use on which host, as far as agents have said since this server started. */
export class AgentBundles implements RotationReadiness {
  readonly #options: AgentBundlesOptions;
  readonly #streams = new Map<string, number>();
  readonly #acknowledged = new Map<string, Acknowledged>();

  constructor(options: AgentBundlesOptions) {
    this.#options = options;
  }

  /** An agent follows the bundle; dispose of the answer when it does no more. */
  connect(agentId: string): Disposable {
    this.#streams.set(agentId, (this.#streams.get(agentId) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#streams.get(agentId) ?? 1) - 1;
        if (left > 0) this.#streams.set(agentId, left);
        else this.#streams.delete(agentId);
      },
    };
  }

  acknowledge(agentId: string, acknowledged: Acknowledged): void {
    this.#acknowledged.set(agentId, acknowledged);
  }

  withoutBundle(sequence: number): readonly string[] {
    return this.#live(({ id }) => (this.#acknowledged.get(id)?.sequence ?? -1) < sequence);
  }

  using(authorities: readonly string[]): readonly string[] {
    return this.#live(({ id }) => {
      const used = this.#acknowledged.get(id)?.authorities;
      return used === undefined || used.some((authority) => authorities.includes(authority));
    });
  }

  away(): readonly string[] {
    return this.#options.agents.list().flatMap((agent) => (this.#isLive(agent) ? [] : agent.nodeName));
  }

  #live(matches: (agent: Pick<AgentRecord, "id">) => boolean): readonly string[] {
    return this.#options.agents
      .list()
      .filter((agent) => !agent.banned && this.#isLive(agent) && matches(agent))
      .map(({ nodeName }) => nodeName);
  }

  #isLive({ id, lastSeen }: Pick<AgentRecord, "id" | "lastSeen">): boolean {
    const { awayAfterMs, clock } = this.#options;
    return this.#streams.has(id) || clock.now() - lastSeen < awayAfterMs;
  }
}
