import { MeshError, messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import { Changes, Wake } from "../state/changes.ts";
import { type AgentState, parseAgentSvid, writeAgentState } from "./agent-state.ts";
import type { IssueCertificate } from "./certificates.ts";
import { type ComeBack, JOIN_AGAIN } from "./come-back.ts";
import { keepFresh, type RenewalOptions } from "./keep-fresh.ts";
import type { Estrangement } from "./unary-call.ts";

export interface AgentIdentityOptions extends RenewalOptions {
  readonly state: AgentState;
  readonly stateDir: string;
}

export interface IdentityProblem {
  readonly message: string;
  readonly hint: string;
}

const COME_BACK = { firstMs: 500, maxMs: 60_000 } as const;

const SERVER_UNKNOWN = new MeshError(
  "agent.join",
  "verify the server: its certificate is of no root that this host knows: the mesh's roots were replaced while this host was away, or it is not the mesh's server",
  { hint: JOIN_AGAIN },
);

/** The agent's own certificate, kept fresh. Its holder speaks for the host, not for a workload. */
export class AgentIdentity {
  readonly changes: Changes = new Changes();
  readonly #options: AgentIdentityOptions;
  readonly #retry = new Wake();
  #state: AgentState;
  readonly #estranged = new Wake();
  #estrangement: Estrangement | undefined;
  #failing = false;
  #problem: IdentityProblem | undefined;

  constructor(options: AgentIdentityOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get current(): AgentState {
    return this.#state;
  }

  /** Why this host is not of the mesh any more, as far as that is known. */
  get problem(): IdentityProblem | undefined {
    return this.#problem;
  }

  /** The server and this agent do not know each other any more, whatever the certificates say of their time. */
  estrange(estrangement: Estrangement): void {
    this.#estrangement = estrangement;
    this.#estranged.raise();
  }

  /** They do. */
  reconcile(): void {
    this.#problem = undefined;
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
    await Promise.all([
      this.#keepFresh(issue, comeBack, signal),
      this.#comeBackWhenEstranged(comeBack, signal),
    ]);
  }

  /**
   * A certificate that the server does not take though its time is not over (the authority behind it was revoked while the
   * host was away, or somebody else has joined as this agent) is no use for the next one: the agent comes back, or its
   * operator is told what to do.
   */
  async #comeBackWhenEstranged(comeBack: ComeBack, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      await this.#estranged.wait(signal);
      if (signal.aborted) return;
      try {
        if (this.#estrangement === "server") throw SERVER_UNKNOWN;
        await this.#take(await comeBack(this.#state, signal));
        attempt = 0;
      } catch (error) {
        if (!signal.aborted) this.#tell(MeshError.from(error));
      }
      await clock.sleep(backoffMs(COME_BACK, attempt, random()), signal);
    }
  }

  /** Once, until it is something else. */
  #tell({ code, message, hint = "" }: MeshError): void {
    if (code !== "ca.refused" && code !== "agent.join") return;
    if (this.#problem?.message === message) return;
    this.#problem = { message, hint };
    this.#options.logger.error("this host is not of the mesh any more", { error: message, hint });
  }

  async #keepFresh(issue: IssueCertificate, comeBack: ComeBack, signal: AbortSignal): Promise<void> {
    await keepFresh(
      {
        name: this.#state.svid.spiffeId,
        current: () => this.#state.svid,
        issue: async (signal) => {
          const expired = this.#options.clock.now() >= this.#state.svid.notAfterMs;
          await this.#take(await (expired ? comeBack(this.#state, signal) : this.#renewed(issue, signal)));
        },
        failed: (error) => {
          this.#failing = error !== undefined;
          if (error !== undefined) this.#tell(error);
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
    this.#problem = undefined;
    this.changes.notify();
    const expires = new Date(state.svid.notAfterMs).toISOString();
    logger.info("renewed the agent's certificate", { agent: state.agentId, expires });
    await writeAgentState(stateDir, this.#state).catch((error: unknown) => {
      logger.error("could not keep the agent's certificate on disk", { error: messageOf(error) });
    });
  }
}
