import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { DESCRIPTORS_URL, MessageTypes } from "../../mesh/xds/message-types.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { bookinfoWorkloads, port, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { createTranslator } from "./translator.ts";

const PLACE = { address: "10.0.9.1", port: 9080 };

/** Address, port and whether IPv4 comes in too, of the captured listeners of a workload. */
function listenersOf(name: string): ReadonlyMap<string, string> {
  const captured = { interception: "redirect", discovery: "mesh" } as const;
  const ports = [port({ inbound: PLACE, app: PLACE })];
  const at = { outbound: 15_300, inbound: 15_301, ipv6: true };
  const workloads = [
    ...bookinfoWorkloads(),
    workload("first", { ...captured, ports }),
    workload("second", { ...captured, ports, capturedAt: at }),
  ];
  const translator = createTranslator({
    messageTypes: new MessageTypes(() => readFileSync(DESCRIPTORS_URL)),
  });
  const { snapshot, changed } = sampleState({ workloads }).next();
  assert.deepEqual(translator.publish(snapshot, changed).failures, []);
  const resources = translator.preview(`default/${name}-1`)?.types.get(TYPE_URL.listener);
  assert.ok(resources);
  return new Map(
    [...resources.values()].map(({ bytes }) => {
      const { name: listener, address } = Listener.decode(bytes);
      const { address: host, portValue, ipv4Compat = false } = address?.socketAddress ?? {};
      return [listener, `${host} ${portValue}${ipv4Compat ? " and IPv4" : ""}`];
    }),
  );
}

test("a captured workload without ports of its own has Istio's, for IPv4", () => {
  const first = listenersOf("first");
  assert.equal(first.get("virtualOutbound"), "0.0.0.0 15001");
  assert.equal(first.get("virtualInbound"), "0.0.0.0 15006");
  assert.equal(first.get("0.0.0.0_9080"), "0.0.0.0 9080");
});

test("another one of its host has its own, and takes both families wherever any address is meant", () => {
  const second = listenersOf("second");
  assert.equal(second.get("virtualOutbound"), ":: 15300 and IPv4");
  assert.equal(second.get("virtualInbound"), ":: 15301 and IPv4");
  assert.equal(second.get("0.0.0.0_9080"), ":: 9080 and IPv4");
});
