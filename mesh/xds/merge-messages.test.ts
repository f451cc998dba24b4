import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createXdsJson, type JsonValue } from "./json.ts";
import { type ListMerge, mergeMessages } from "./merge-messages.ts";
import { DESCRIPTORS_URL, MessageTypes } from "./message-types.ts";
import { TYPE_URL } from "./type-urls.ts";

const types = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));
const json = createXdsJson(types);
const HCM =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const cases: readonly {
  readonly name: string;
  readonly type?: string;
  readonly base: JsonValue;
  readonly over: JsonValue;
  readonly lists?: ListMerge;
  readonly want: JsonValue;
}[] = [
  {
    name: "a scalar replaces, what is not mentioned stays",
    base: { name: "a", altStatName: "s" },
    over: { name: "b" },
    want: { name: "b", altStatName: "s" },
  },
  {
    name: "messages are merged field by field, at any depth",
    base: { commonLbConfig: { healthyPanicThreshold: { value: 1 }, ignoreNewHostsUntilFirstHc: true } },
    over: { commonLbConfig: { closeConnectionsOnHostSetChange: true } },
    want: {
      commonLbConfig: {
        healthyPanicThreshold: { value: 1 },
        ignoreNewHostsUntilFirstHc: true,
        closeConnectionsOnHostSetChange: true,
      },
    },
  },
  {
    name: "a duration replaces as a whole",
    base: { connectTimeout: "1.500s" },
    over: { connectTimeout: "2s" },
    want: { connectTimeout: "2s" },
  },
  {
    name: "a duration of zero replaces too",
    base: { connectTimeout: "1.500s" },
    over: { connectTimeout: "0s" },
    want: { connectTimeout: "0s" },
  },
  {
    name: "lists are appended to",
    base: { healthChecks: [{ timeout: "1s" }] },
    over: { healthChecks: [{ timeout: "2s" }] },
    want: { healthChecks: [{ timeout: "1s" }, { timeout: "2s" }] },
  },
  {
    name: "lists are replaced where that is asked for",
    base: { healthChecks: [{ timeout: "1s" }] },
    over: { healthChecks: [{ timeout: "2s" }] },
    lists: "replace",
    want: { healthChecks: [{ timeout: "2s" }] },
  },
  {
    name: "lists inside messages are replaced, those that are not mentioned stay",
    base: { name: "c", circuitBreakers: { thresholds: [{ maxConnections: 1 }] }, filters: [{ name: "f" }] },
    over: { circuitBreakers: { thresholds: [{ maxRequests: 2 }] } },
    lists: "replace",
    want: { name: "c", circuitBreakers: { thresholds: [{ maxRequests: 2 }] }, filters: [{ name: "f" }] },
  },
  {
    name: "an entry of a map replaces the one of its key",
    base: { metadata: { filterMetadata: { a: { x: 1, y: 1 }, b: { z: 1 } } } },
    over: { metadata: { filterMetadata: { a: { x: 2 } } } },
    want: { metadata: { filterMetadata: { a: { x: 2 }, b: { z: 1 } } } },
  },
  {
    name: "another member of a oneof takes the place of the first",
    base: { ringHashLbConfig: { minimumRingSize: "1" } },
    over: { maglevLbConfig: { tableSize: "3" } },
    want: { maglevLbConfig: { tableSize: "3" } },
  },
  {
    name: "a wrapper replaces",
    type: HCM,
    base: { useRemoteAddress: false, generateRequestId: true },
    over: { useRemoteAddress: true },
    want: { useRemoteAddress: true, generateRequestId: true },
  },
  {
    name: "as in Istio, the zero of a wrapper does not undo what is set",
    type: HCM,
    base: { generateRequestId: true },
    over: { generateRequestId: false, useRemoteAddress: false },
    want: { generateRequestId: true, useRemoteAddress: false },
  },
  {
    name: "an Any is replaced: nobody knows here whether its message could be merged",
    base: { transportSocket: { name: "a", typedConfig: { "@type": HCM, statPrefix: "x" } } },
    over: { transportSocket: { typedConfig: { "@type": HCM, serverName: "y" } } },
    want: { transportSocket: { name: "a", typedConfig: { "@type": HCM, serverName: "y" } } },
  },
];

for (const { name, type = TYPE_URL.cluster, base, over, lists = "append", want } of cases) {
  test(`merging: ${name}`, () => {
    const [a, b] = [json.jsonToResource(type, base), json.jsonToResource(type, over)];
    assert.deepEqual(json.resourceToJson(type, mergeMessages(types, type, a, b, lists)), want);
  });
}

test("bytes that are no message are refused", () => {
  const broken = Uint8Array.of(0x0a, 0x7f);
  assert.throws(() => mergeMessages(types, TYPE_URL.cluster, broken, new Uint8Array(), "append"));
  assert.throws(() => mergeMessages(types, "no.such.Type", new Uint8Array(), new Uint8Array(), "append"), {
    code: "xds.rejected",
  });
});
