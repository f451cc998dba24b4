import { agentService } from "../../mesh/agent-api/services.ts";
import { messageOf } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { type Changes, Wake } from "../state/changes.ts";
import type { ServerChannel } from "./channel.ts";
import { callUnary } from "./unary-call.ts";

type Notifier = Pick<Changes<unknown>, "subscribe">;

export interface BundleAcknowledgementOptions {
  readonly channel: Pick<ServerChannel, "client">;
  readonly bundle: { readonly current: TrustBundle; readonly changes: Notifier; readonly told: Notifier };
  readonly identity: { readonly current: { readonly svid: X509Svid }; readonly changes: Notifier };
  readonly svids: {
    ids(): readonly string[];
    current(id: string): X509Svid | undefined;
    readonly changes: Notifier;
  };
  readonly relay: {
    /** Whether the data plane of each of these workloads is there and uses what the agent has. */
    secretsSettled(workloads: readonly string[]): boolean;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

const RETRY = { firstMs: 500, maxMs: 15_000 } as const;
/** Changes come in bursts: a thousand SVIDs are renewed one after the other. */
const QUIET_MS = 50;

/**
 * Tells the server what is in use on this host: the bundle that all of its data planes have acknowledged, and by which
 * authorities its certificates are. The server's rotation waits for that. It is told after each change, and after each
 * bundle that the server sends, because a server that was started anew knows nothing of it.
 */
export class BundleAcknowledgement {
  readonly #options: BundleAcknowledgementOptions;
  readonly #wake = new Wake();
  #said = "";

  constructor(options: BundleAcknowledgementOptions) {
    this.#options = options;
  }

  /** What is in use may be something else. */
  changed(): void {
    this.#wake.raise();
  }

  /** Tells until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { bundle, identity, svids } = this.#options;
    const again = (): void => {
      this.#said = "";
      this.changed();
    };
    const stops = [
      bundle.told.subscribe(again),
      ...[bundle.changes, identity.changes, svids.changes].map((of) => of.subscribe(() => this.changed())),
    ];
    try {
      await this.#tell(signal);
    } finally {
      for (const stop of stops) stop();
    }
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { channel, clock, logger, random, relay, svids } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      await this.#wake.wait(signal);
      await clock.sleep(failures > 0 ? backoffMs(RETRY, failures - 1, random()) : QUIET_MS, signal);
      const ack = this.#ack();
      const text = JSON.stringify(ack);
      if (signal.aborted || text === this.#said || !relay.secretsSettled(svids.ids())) continue;
      try {
        await callUnary(channel.client, agentService.acknowledgeTrustBundle, ack, signal);
        this.#said = text;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        logger.debug("could not acknowledge the trust bundle", { error: messageOf(error) });
        this.changed();
      }
    }
  }

  #ack(): { readonly sequence: number; readonly authorities: string[] } {
    const { bundle, identity, svids } = this.#options;
    const used = [identity.current.svid, ...svids.ids().flatMap((id) => svids.current(id) ?? [])];
    return {
      sequence: bundle.current.sequence,
      authorities: [...new Set(used.map(({ authority }) => authority))].sort(),
    };
  }
}
