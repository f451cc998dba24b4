import assert from "node:assert/strict";
import { test } from "node:test";
import { Struct } from "../../../mesh/xds/gen/google/protobuf/struct.ts";
import { readPeerMetadata } from "./peer-metadata.ts";

const ID = "spiffe://cluster.local/ns/default/sa/a";
const said = (fields: Readonly<Record<string, unknown>>): string =>
  Buffer.from(Struct.encode(Struct.wrap(fields)).finish()).toString("base64");

test("a peer is believed of the namespace of its certificate alone", () => {
  const read = (namespace: string): string | undefined =>
    readPeerMetadata(said({ NAMESPACE: namespace, WORKLOAD_NAME: "w" }), ID)?.namespace;
  assert.deepEqual(["default", "default/sa", "other", ""].map(read), [
    "default",
    undefined,
    undefined,
    undefined,
  ]);
});

test("what is longer than a name is not taken over", () => {
  const fields = {
    NAMESPACE: "default",
    WORKLOAD_NAME: "w".repeat(254),
    LABELS: { app: "a".repeat(254), version: "v1" },
  };
  const peer = readPeerMetadata(said(fields), ID);
  assert.deepEqual([peer?.workload, peer?.app, peer?.version], ["unknown", "unknown", "v1"]);
});

test("what is no metadata is nothing", () => {
  for (const value of ["", "%%%", "AAAA", "x".repeat(9000)])
    assert.equal(readPeerMetadata(value, ID), undefined);
});
