import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { bookinfoWorkloads, sampleState } from "../../test/fakes/sample-mesh.ts";
import { checkReferences } from "./check-references.ts";
import type { ResourceTypes } from "./node-resources.ts";
import { createTranslator } from "./translator.ts";

const HOST = "reviews.default.svc.cluster.local";

function complete(): ResourceTypes {
  const { snapshot, changed } = sampleState({ workloads: bookinfoWorkloads() }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const resources = translator.preview("default/productpage-1");
  assert.ok(resources);
  return resources.types;
}

test("a complete set is accepted", () => {
  assert.doesNotThrow(() => checkReferences(complete()));
});

const removals: readonly (readonly [TypeUrl, string, RegExp])[] = [
  [TYPE_URL.cluster, `outbound|9080||${HOST}`, /route reviews.*refers to cluster outbound\|9080\|\|reviews/],
  [
    TYPE_URL.cluster,
    "outbound|5432||ratingsdb.default.svc.cluster.local",
    /listener 127.0.0.1_5432 refers to cluster/,
  ],
  [TYPE_URL.cluster, "inbound|9080||", /listener 10.0.0.1_9080 refers to cluster inbound/],
  [TYPE_URL.endpoints, `outbound|9080||${HOST}`, /cluster outbound.*refers to endpoints outbound/],
  [TYPE_URL.route, `${HOST}:9080`, /listener 127.0.0.1_9082 refers to route reviews/],
];
for (const [type, name, want] of removals) {
  test(`a set without ${name} of ${type.split(".").at(-1)} is refused by name`, () => {
    const all = complete();
    assert.ok(all.get(type)?.has(name), "it was there");
    const types = new Map(
      [...all].map(([url, map]) => [url, url === type ? map.edited([[name, undefined]]) : map] as const),
    );
    assert.throws(() => checkReferences(types), { code: "xds.inconsistent", message: want });
  });
}
