import { MeshError } from "../mesh/errors.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import type { MeshSnapshot } from "./snapshot/mesh-snapshot.ts";
import type { Publisher } from "./snapshot/publisher.ts";
import type { ConfigStore } from "./store/config-store.ts";
import { settledObjects } from "./translate/routes/settled.ts";
import type { Translator } from "./translate/translator.ts";

export interface SettlingParts {
  readonly store: Pick<ConfigStore, "unsettled" | "settle">;
  readonly publisher: Pick<Publisher, "onPublish" | "settle">;
  readonly translator: Pick<Translator, "report">;
  readonly logger: Logger;
}

/** After each publication, lets go of kept revisions whose successors are in force, until the signal is aborted. */
export function settlePublished(
  { store, publisher, translator, logger }: SettlingParts,
  signal: AbortSignal,
): void {
  let judged: MeshSnapshot | undefined;
  publisher.onPublish((snapshot) => {
    const unsettled = store.unsettled();
    // One that leads nowhere may stay so for long, and endpoints that come and go are nothing to it.
    if (unsettled.length === 0 || (judged !== undefined && leadsAlike(judged, snapshot))) return;
    const settled = settledObjects(snapshot, unsettled, translator.report().warnings);
    try {
      store.settle(settled);
    } catch (thrown) {
      const { message: reason, hint } = MeshError.from(thrown);
      logger.error("revisions that are no longer in force are kept for now", { reason, hint });
      return;
    }
    publisher.settle(settled);
    judged = snapshot;
  }, signal);
}

/** Whether every destination exists in one that exists in the other. */
function leadsAlike(one: MeshSnapshot, other: MeshSnapshot): boolean {
  return (
    one.services === other.services &&
    one.settings === other.settings &&
    one.lists["destination-rule"] === other.lists["destination-rule"] &&
    one.lists["virtual-service-named"] === other.lists["virtual-service-named"]
  );
}
