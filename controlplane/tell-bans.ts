import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { Bans } from "./ca/bans.ts";
import type { MeshAuthority } from "./ca/mesh-authority.ts";
import type { RotationReadiness } from "./ca/rotation.ts";
import type { Publisher } from "./snapshot/publisher.ts";

export interface TellBansOptions {
  readonly bans: Pick<Bans, "last">;
  readonly authority: Pick<MeshAuthority, "bundle">;
  readonly bundles: Pick<RotationReadiness, "withoutBundle">;
  readonly publisher: Pick<Publisher, "setLastBans">;
  readonly clock: Clock;
}

const LOOK_EVERY_MS = 250;
const MOST_WAIT_MS = 10_000;

/**
 * Has proxies end what is open with a banned peer, until the signal is aborted. First every host has to have the list on
 * which the peer is: a connection that ends sooner is there again a moment later. A host that says nothing is waited for
 * ten seconds.
 */
export async function tellBans(options: TellBansOptions, signal: AbortSignal): Promise<void> {
  const { bans, authority, bundles, publisher, clock } = options;
  let told = bans.last.atMs;
  while (!signal.aborted) {
    const { last } = bans;
    if (last.atMs !== told) {
      const { sequence } = authority.bundle;
      const until = clock.monotonic() + MOST_WAIT_MS;
      while (bundles.withoutBundle(sequence).length > 0 && clock.monotonic() < until && !signal.aborted)
        await clock.sleep(LOOK_EVERY_MS, signal);
      publisher.setLastBans(last);
      told = last.atMs;
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}
