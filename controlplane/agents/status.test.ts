import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import { peerAddress } from "./calls.ts";
import { toStatus } from "./status.ts";

test("an error that callers may know of keeps its message and its hint", () => {
  assert.deepEqual(toStatus(new MeshError("attest.refused", "join", { hint: "try again" })), {
    code: status.PERMISSION_DENIED,
    details: "join (try again)",
  });
  assert.deepEqual(toStatus(new MeshError("attest.unauthenticated", "x")).code, status.UNAUTHENTICATED);
});

test("every other error is internal, and says nothing else", () => {
  const secrets = [
    new Error("secret"),
    new MeshError("ca.self-check", "secret"),
    new MeshError("store.failed", "secret", { hint: "secret" }),
    "secret",
    undefined,
  ];
  for (const error of secrets)
    assert.deepEqual(toStatus(error), { code: status.INTERNAL, details: "internal" });
});

test("a peer's address is told without its port", () => {
  for (const [peer, address] of [
    ["127.0.0.1:1234", "127.0.0.1"],
    ["[::1]:1234", "::1"],
    ["::1:1234", "::1"],
    ["unknown", "unknown"],
  ] as const) {
    assert.equal(peerAddress({ getPeer: () => peer }), address);
  }
});
