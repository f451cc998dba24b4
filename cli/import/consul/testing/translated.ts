import assert from "node:assert/strict";
import { parseFiles } from "../../../../controlplane/offline.ts";
import { manifestsText } from "../../../output/imported.ts";
import type { Action } from "../access-terms.ts";
import { parseEntries } from "../config-entries.ts";
import type { Loss } from "../manifest.ts";
import { translate } from "../translate.ts";

type Entry = Readonly<Record<string, unknown>>;

export interface Translated {
  /** The specs by `Kind namespace/name`. */
  readonly specs: Readonly<Record<string, unknown>>;
  readonly losses: readonly Loss[];
}

/** What becomes of these entries; all of it must be valid, warnings included. */
export function translated(entries: readonly Entry[], defaultPolicy: Action = "allow"): Translated {
  const { manifests, losses } = translate(parseEntries(entries, "the test"), {
    namespace: "shop",
    defaultPolicy,
  });
  const { violations } = parseFiles([{ name: "out.yaml", text: manifestsText(manifests) }], {
    defaultNamespace: "default",
  });
  assert.deepEqual(violations, []);
  const specs = Object.fromEntries(
    manifests.map(({ kind, metadata: { namespace, name }, spec }) => [`${kind} ${namespace}/${name}`, spec]),
  );
  assert.equal(Object.keys(specs).length, manifests.length, "two objects have one name");
  return { specs, losses };
}
