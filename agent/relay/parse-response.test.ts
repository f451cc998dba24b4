import assert from "node:assert/strict";
import { test } from "node:test";
import { DeltaDiscoveryResponse } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { parseDeltaResponse } from "./parse-response.ts";

const { cluster, listener } = TYPE_URL;

function resource(name: string, typeUrl: string = cluster) {
  return { name, version: "1", resource: { typeUrl, value: new Uint8Array([1]) } };
}

test("a sound response keeps names, versions and bytes", () => {
  const response = DeltaDiscoveryResponse.fromPartial({
    typeUrl: cluster,
    resources: [resource("a"), resource("b")],
    removedResources: ["c", "c"],
  });
  const parsed = parseDeltaResponse(response);
  assert.deepEqual(
    parsed.upserts.map(({ name, version, bytes }) => [name, version, [...bytes]]),
    [
      ["a", "1", [1]],
      ["b", "1", [1]],
    ],
  );
  assert.deepEqual(parsed.removals, ["c"]);
});

const refused = [
  { name: "a resource twice", resources: [resource("a"), resource("a")], removedResources: [] },
  { name: "a resource both sent and removed", resources: [resource("a")], removedResources: ["a"] },
  { name: "a resource without a name", resources: [resource("")], removedResources: [] },
  { name: "a resource of another type", resources: [resource("a", listener)], removedResources: [] },
  { name: "a resource without content", resources: [{ name: "a", version: "1" }], removedResources: [] },
];

for (const { name, resources, removedResources } of refused) {
  test(`${name} is refused`, () => {
    const response = DeltaDiscoveryResponse.fromPartial({ typeUrl: cluster, resources, removedResources });
    assert.throws(() => parseDeltaResponse(response), { code: "xds.rejected" });
  });
}
