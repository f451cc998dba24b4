import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeDeltaResponse, encodeSotwResponse } from "./encode-response.ts";
import { DeltaDiscoveryResponse, DiscoveryResponse } from "./gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "./type-urls.ts";

const head = { typeUrl: TYPE_URL.cluster, nonce: "7", version: "42", controlPlane: "server-1" };
const long = new Uint8Array(70_000).fill(7);
const resources = [
  { name: "outbound|80||a", version: "v1", bytes: new Uint8Array([1, 2, 3]) },
  { name: "großer Name", version: "v2", bytes: long },
  { name: "empty", version: "v3", bytes: new Uint8Array(0) },
];

test("a delta response assembled from encoded resources decodes to the same message", () => {
  const bytes = encodeDeltaResponse(head, resources, ["gone", "gone too"]);
  const want = DeltaDiscoveryResponse.fromPartial({
    systemVersionInfo: "42",
    typeUrl: TYPE_URL.cluster,
    nonce: "7",
    removedResources: ["gone", "gone too"],
    controlPlane: { identifier: "server-1" },
    resources: resources.map(({ name, version, bytes: value }) => ({
      name,
      version,
      resource: { typeUrl: TYPE_URL.cluster, value },
    })),
  });
  const again = DeltaDiscoveryResponse.encode(DeltaDiscoveryResponse.decode(bytes)).finish();
  assert.ok(Buffer.from(DeltaDiscoveryResponse.encode(want).finish()).equals(again));
});

test("a state-of-the-world response assembled from encoded resources decodes to the same message", () => {
  const bytes = encodeSotwResponse(head, resources);
  const want = DiscoveryResponse.fromPartial({
    versionInfo: "42",
    typeUrl: TYPE_URL.cluster,
    nonce: "7",
    controlPlane: { identifier: "server-1" },
    resources: resources.map(({ bytes: value }) => ({ typeUrl: TYPE_URL.cluster, value })),
  });
  const again = DiscoveryResponse.encode(DiscoveryResponse.decode(bytes)).finish();
  assert.ok(Buffer.from(DiscoveryResponse.encode(want).finish()).equals(again));
});

test("the same list of resources gives the same bytes each time, whatever else the responses say", () => {
  const [first, second, third] = [1, 2, 3].map((nonce) =>
    DeltaDiscoveryResponse.decode(encodeDeltaResponse({ ...head, nonce: String(nonce) }, resources, [])),
  );
  assert.deepEqual([first?.nonce, second?.nonce, third?.nonce], ["1", "2", "3"]);
  assert.deepEqual(second?.resources, first?.resources);
  assert.deepEqual(third?.resources, first?.resources);
  const sotw = DiscoveryResponse.decode(encodeSotwResponse(head, resources));
  assert.deepEqual(
    sotw.resources,
    first?.resources.map(({ resource }) => resource),
  );
});

test("an empty delta response has a type and a nonce", () => {
  const decoded = DeltaDiscoveryResponse.decode(
    encodeDeltaResponse({ typeUrl: TYPE_URL.route, nonce: "1", version: "" }, [], []),
  );
  assert.equal(decoded.typeUrl, TYPE_URL.route);
  assert.equal(decoded.nonce, "1");
  assert.deepEqual(decoded.resources, []);
});
