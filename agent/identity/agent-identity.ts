import { messageOf } from "../../mesh/errors.ts";
import { Changes, Wake } from "../state/changes.ts";
import { type AgentState, parseAgentSvid, writeAgentState } from "./agent-state.ts";
import type { IssueCertificate } from "./certificates.ts";
import type { ComeBack } from "./come-back.ts";
import { keepFresh, type RenewalOptions } from "./keep-fresh.ts";

export interface AgentIdentityOptions extends RenewalOptions {
  readonly state: AgentState;
  readonly stateDir: string;
}

/** The agent's own certificate, kept fresh. Its holder speaks for the host, not for a workload. */
export class AgentIdentity {
  readonly changes: Changes = new Changes();
  readonly #options: AgentIdentityOptions;
  readonly #retry = new Wake();
  #state: AgentState;
  #failing = false;

  constructor(options: AgentIdentityOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get current(): AgentState {
    return this.#state;
  }

  /** An attempt that failed is made again at once: the server is back. */
  retry(): void {
    if (this.#failing) this.#retry.raise();
  }

  /**
   * Renews at 50 to 70 % of each certificate's life, with a new key each time, until the signal is aborted. One that has
   * expired (the host slept, the server was away) cannot ask for the next: the agent comes back then.
   */
  async run(issue: IssueCertificate, comeBack: ComeBack, signal: AbortSignal): Promise<void> {
    await keepFresh(
      {
        name: this.#state.svid.spiffeId,
        current: () => this.#state.svid,
        issue: async (signal) => {
          const expired = this.#options.clock.now() >= this.#state.svid.notAfterMs;
          await this.#take(await (expired ? comeBack(this.#state, signal) : this.#renewed(issue, signal)));
        },
        failed: (reason) => {
          this.#failing = reason !== undefined;
        },
        retry: this.#retry,
      },
      this.#options,
      signal,
    );
  }

  async #renewed(issue: IssueCertificate, signal: AbortSignal): Promise<AgentState> {
    const { keyPem, chain } = await issue(undefined, signal);
    const { trustDomain, agentId } = this.#state;
    return { ...this.#state, svid: parseAgentSvid(chain, keyPem, trustDomain, agentId) };
  }

  async #take(state: AgentState): Promise<void> {
    const { logger, stateDir } = this.#options;
    this.#state = state;
    this.changes.notify();
    const expires = new Date(state.svid.notAfterMs).toISOString();
    logger.info("renewed the agent's certificate", { agent: state.agentId, expires });
    await writeAgentState(stateDir, this.#state).catch((error: unknown) => {
      logger.error("could not keep the agent's certificate on disk", { error: messageOf(error) });
    });
  }
}
