import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Cluster } from "./gen/envoy/config/cluster/v3/cluster.ts";
import { RawBuffer } from "./gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts";
import { createXdsJson, DESCRIPTORS_URL } from "./json.ts";
import { TYPE_URL } from "./type-urls.ts";

const RAW_BUFFER = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const bytes = Cluster.encode(
  Cluster.fromPartial({
    name: "a",
    connectTimeout: { seconds: 1, nanos: 500_000_000 },
    transportSocket: {
      name: "raw",
      typedConfig: { typeUrl: RAW_BUFFER, value: RawBuffer.encode(RawBuffer.fromPartial({})).finish() },
    },
  }),
).finish();

test("a message is printed as canonical ProtoJSON with nested Anys expanded, and read back", () => {
  const printed = json.resourceToJson(TYPE_URL.cluster, bytes);
  assert.deepEqual(printed, {
    name: "a",
    connectTimeout: "1.500s",
    transportSocket: { name: "raw", typedConfig: { "@type": RAW_BUFFER } },
  });
  const back = json.jsonToResource(TYPE_URL.cluster, printed);
  assert.deepEqual(json.resourceToJson(TYPE_URL.cluster, back), printed);
});

test("the descriptor set is read once, at the first use", () => {
  let reads = 0;
  const lazy = createXdsJson(() => {
    reads += 1;
    return readFileSync(DESCRIPTORS_URL);
  });
  assert.equal(reads, 0);
  lazy.resourceToJson(TYPE_URL.cluster, bytes);
  lazy.resourceToJson(TYPE_URL.cluster, bytes);
  assert.equal(reads, 1);
});

test("an unknown type, unknown fields and broken bytes are refused with a code", () => {
  const refused = { code: "xds.rejected" };
  assert.throws(() => json.resourceToJson("type.googleapis.com/no.such.Type", bytes), refused);
  assert.throws(() => json.jsonToResource(TYPE_URL.cluster, { noSuchField: 1 }), refused);
  assert.throws(() => json.resourceToJson(TYPE_URL.cluster, Uint8Array.of(0x0a, 0x7f)), refused);
});
