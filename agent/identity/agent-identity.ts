import { messageOf } from "../../mesh/errors.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { Changes, Wake } from "../state/changes.ts";
import { type AgentState, parseAgentSvid, writeAgentState } from "./agent-state.ts";
import type { IssueCertificate } from "./certificates.ts";
import { keepFresh, type RenewalOptions } from "./keep-fresh.ts";

export interface AgentIdentityOptions extends RenewalOptions {
  readonly state: AgentState;
  readonly stateDir: string;
}

/** The agent's own certificate, kept fresh. Its holder speaks for the host, not for a workload. */
export class AgentIdentity {
  readonly changes: Changes = new Changes();
  readonly #options: AgentIdentityOptions;
  #state: AgentState;

  constructor(options: AgentIdentityOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get current(): AgentState {
    return this.#state;
  }

  /** Renews at 50 to 70 % of each certificate's life, with a new key each time, until the signal is aborted. */
  async run(issue: IssueCertificate, signal: AbortSignal): Promise<void> {
    await keepFresh(
      {
        name: this.#state.svid.spiffeId,
        current: () => this.#state.svid,
        issue: async (signal) => {
          const { keyPem, chain } = await issue(undefined, signal);
          const { trustDomain, agentId } = this.#state;
          await this.#take(parseAgentSvid(chain, keyPem, trustDomain, agentId));
        },
        failed: () => {},
        retry: new Wake(),
      },
      this.#options,
      signal,
    );
  }

  async #take(svid: X509Svid): Promise<void> {
    const { logger, stateDir } = this.#options;
    this.#state = { ...this.#state, svid };
    this.changes.notify();
    logger.info("renewed the agent's certificate", { expires: new Date(svid.notAfterMs).toISOString() });
    await writeAgentState(stateDir, this.#state).catch((error: unknown) => {
      logger.error("could not keep the agent's certificate on disk", { error: messageOf(error) });
    });
  }
}
