import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../test/harness/random.ts";
import { finish } from "../lifecycle/slices.ts";
import { DeltaDiscoveryResponse } from "./gen/envoy/service/discovery/v3/discovery.ts";
import { readDeltaResponse } from "./read-delta-response.ts";
import { splitMessage } from "./split-message.ts";

function sampleResponse(random: Random): DeltaDiscoveryResponse {
  const text = (): string => "é*x".repeat(random.below(40));
  const list = <T>(make: () => T): T[] => Array.from({ length: random.below(6) }, make);
  return DeltaDiscoveryResponse.fromPartial({
    systemVersionInfo: text(),
    typeUrl: text(),
    nonce: text(),
    removedResources: list(text),
    resources: list(() => ({
      name: text(),
      version: text(),
      ...(random.chance(0.8)
        ? { resource: { typeUrl: text(), value: Buffer.from(list(() => random.below(256))) } }
        : {}),
    })),
    ...(random.chance(0.5) ? { controlPlane: { identifier: text() } } : {}),
  });
}

/** Fields may come in any order, and a list in pieces. */
function shuffled(random: Random, message: DeltaDiscoveryResponse): Uint8Array {
  const { resources, ...rest } = message;
  const cut = random.below(resources.length + 1);
  const pieces = [
    DeltaDiscoveryResponse.fromPartial({ resources: resources.slice(0, cut) }),
    DeltaDiscoveryResponse.fromPartial(rest),
    DeltaDiscoveryResponse.fromPartial({ resources: resources.slice(cut) }),
  ];
  return Buffer.concat(pieces.map((piece) => DeltaDiscoveryResponse.encode(piece).finish()));
}

test("a response that is read in steps is the one that is decoded at once", () => {
  const random = new Random(7);
  for (let round = 0; round < 500; round++) {
    const bytes = shuffled(random, sampleResponse(random));
    assert.deepEqual(finish(readDeltaResponse(bytes)), DeltaDiscoveryResponse.decode(bytes));
  }
});

test("parts and rest are the bytes of the message", () => {
  const { parts, rest } = finish(splitMessage(Buffer.from("0a01611201620a0163120164", "hex"), 2));
  assert.deepEqual(
    parts.map((part) => Buffer.from(part).toString()),
    ["b", "d"],
  );
  assert.equal(Buffer.from(rest).toString("hex"), "0a01610a0163");
  assert.deepEqual(finish(splitMessage(new Uint8Array(), 2)), { parts: [], rest: new Uint8Array() });
});

for (const [what, hex] of [
  ["a part that is longer than the message", "12055a"],
  ["another field that is", "0a055a"],
  ["no tag", "00"],
  ["half a tag", "80"],
] as const) {
  test(`${what} is no message`, () => {
    assert.throws(() => finish(splitMessage(Buffer.from(hex, "hex"), 2)));
  });
}
