import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS } from "../mesh/model/kinds.ts";
import type { Kind } from "../mesh/model/object.ts";
import { objectLabel, parseKind, parseKindOrListing } from "./kinds.ts";

const short: readonly (readonly [string, Kind])[] = [
  ["vs", "VirtualService"],
  ["dr", "DestinationRule"],
  ["se", "ServiceEntry"],
  ["we", "WorkloadEntry"],
  ["wg", "WorkloadGroup"],
  ["gw", "Gateway"],
  ["ef", "EnvoyFilter"],
  ["pa", "PeerAuthentication"],
  ["ra", "RequestAuthentication"],
  ["ap", "AuthorizationPolicy"],
];

for (const [word, kind] of short) {
  test(`${word} is short for ${kind}`, () => assert.equal(parseKind(word), kind));
}

const groups: readonly (readonly [string, Kind])[] = [
  ["sidecars.networking.istio.io", "Sidecar"],
  ["peerauthentications.security.istio.io", "PeerAuthentication"],
  ["meshconfigs.mesh.istio.io", "MeshConfig"],
];

for (const [word, kind] of groups) {
  test(`${word} is ${kind}`, () => assert.equal(parseKind(word), kind));
}

for (const kind of Object.keys(KINDS) as Kind[]) {
  test(`${kind} is known by its name, its plural, and the label that it is printed with`, () => {
    const plural = /[^aeiou]y$/.test(kind) ? `${kind.slice(0, -1)}ies` : `${kind}s`;
    const [label = ""] = objectLabel(kind, "a").split("/");
    for (const word of [kind, kind.toUpperCase(), plural, label])
      assert.equal(parseKindOrListing(word), kind, word);
  });
}

test("what is no kind is answered with the closest one", () => {
  assert.throws(() => parseKind("gatway"), /there is no kind "gatway"/);
});
