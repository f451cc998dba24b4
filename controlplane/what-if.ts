import { setImmediate } from "node:timers/promises";
import type { AuthzSimulationReply } from "../mesh/admin-api/observed-replies.ts";
import type { AnalysisMessage, DiffReply, WorkloadDiff } from "../mesh/admin-api/replies.ts";
import { MeshError } from "../mesh/errors.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import type { ObjectKey } from "../mesh/model/object.ts";
import type { FiledObject } from "../mesh/model/parse-files.ts";
import type { WorkloadId } from "../mesh/model/workload.ts";
import { analyze } from "./analyze/analyze.ts";
import { byKey, diffObjects, overlaid } from "./diff/diff-objects.ts";
import { diffWorkload } from "./diff/diff-resources.ts";
import { messageTypes } from "./message-types.ts";
import type { CallHistory } from "./observed/call-history.ts";
import { placesOf } from "./offline/analyze-files.ts";
import { xdsJson } from "./offline/render-workload.ts";
import { asStored } from "./offline/stored-objects.ts";
import { simulateDraft } from "./simulate/simulate-draft.ts";
import type { Publisher } from "./snapshot/publisher.ts";
import { byText } from "./snapshot/text-order.ts";
import { keyOf } from "./store/apply-plan.ts";
import type { ConfigStore } from "./store/config-store.ts";
import { createTranslator, type Translator } from "./translate/translator.ts";

export interface WhatIfParts {
  readonly store: Pick<ConfigStore, "list">;
  readonly publisher: Pick<Publisher, "current" | "whatIf">;
  readonly translator: Pick<Translator, "preview" | "report">;
  readonly clock: Pick<Clock, "now">;
  readonly history: Pick<CallHistory, "since">;
}

export interface WhatIf {
  readonly analyze: (
    over: readonly FiledObject[],
    signal: AbortSignal,
  ) => Promise<readonly AnalysisMessage[]>;
  readonly diff: (
    over: readonly FiledObject[],
    options: { readonly verbose: boolean; readonly signal: AbortSignal },
  ) => Promise<DiffReply>;
  /**
   * Which of the calls that were seen to workloads of some namespaces the policies would decide otherwise, were these
   * objects applied and those deleted. Throws `object.not-found` for one to be deleted that is not there.
   */
  readonly simulate: (
    over: readonly FiledObject[],
    options: SimulateDraftOptions,
  ) => Promise<AuthzSimulationReply>;
}

interface SimulateDraftOptions {
  readonly deleted: readonly ObjectKey[];
  readonly sinceMs: number;
  /** Whether what was seen in a namespace is of interest. */
  readonly isSeen: (namespace: string) => boolean;
  readonly signal: AbortSignal;
}

/** Answers what would be if objects were applied, from the catalogs, workloads and objects of now. */
export function whatIf({ store, publisher, translator, clock, history }: WhatIfParts): WhatIf {
  return {
    async analyze(over, signal) {
      const objects = overlaid(store.list(), asStored(over));
      const now = clock.now();
      if (over.length === 0) {
        const { current: snapshot } = publisher;
        return analyze({ objects, snapshot, places: new Map(), now, report: translator.report() });
      }
      const snapshot = publisher.whatIf(objects);
      const next = createTranslator({ messageTypes });
      next.publish(snapshot, new Set());
      for await (const id of unhurried(snapshot.workloads.keys(), signal)) next.preview(id);
      const report = next.publish(snapshot, new Set());
      return analyze({ objects, snapshot, places: placesOf(objects, over), now, report });
    },
    async diff(over, { verbose, signal }) {
      const before = store.list();
      const after = overlaid(before, asStored(over));
      const touched = byKey(over.map(({ object }) => object));
      const kept = before.filter((object) => touched.has(keyOf(object)));
      const next = createTranslator({ messageTypes });
      const snapshot = publisher.whatIf(after);
      next.publish(snapshot, new Set());
      const json = verbose ? xdsJson() : undefined;
      const workloads: WorkloadDiff[] = [];
      for await (const id of unhurried(snapshot.workloads.keys(), signal)) {
        const diff = diffWorkload(id, translator.preview(id), next.preview(id), json);
        if (diff !== undefined) workloads.push(diff);
      }
      return { objects: diffObjects(byKey(kept), touched), workloads };
    },
    async simulate(over, { deleted, sinceMs, isSeen, signal }) {
      const before = store.list();
      const known = byKey(before);
      const missing = deleted.find((key) => !known.has(key));
      if (missing !== undefined) throw new MeshError("object.not-found", `delete ${missing}: there is none`);
      const touched = byKey(over.map(({ object }) => object));
      const after = overlaid(before, asStored(over)).filter((object) => !deleted.includes(keyOf(object)));
      const next = createTranslator({ messageTypes });
      const snapshot = publisher.whatIf(after);
      next.publish(snapshot, new Set());
      const seen = history.since(sinceMs).filter(({ workload }) => isSeen(workload.namespace));
      const answer = await simulateDraft({
        before: { snapshot: publisher.current, translator },
        after: { snapshot, translator: next },
        isDrafted: ({ kind, namespace, name }) => {
          const key = `${kind}/${namespace}/${name}`;
          return [...touched.keys(), ...deleted].some((one) => one === key);
        },
        history: seen,
        nowMs: clock.now(),
        signal,
      });
      return { since: new Date(sinceMs).toISOString(), ...answer };
    },
  };
}

/** In order. A mesh may have thousands of workloads, and the server has others to serve meanwhile. */
async function* unhurried(workloads: Iterable<WorkloadId>, signal: AbortSignal): AsyncIterable<WorkloadId> {
  for (const id of [...workloads].sort(byText)) {
    await setImmediate(undefined, { signal });
    yield id;
  }
}
