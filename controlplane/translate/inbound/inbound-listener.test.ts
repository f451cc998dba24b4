import assert from "node:assert/strict";
import { test } from "node:test";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translator.ts";

const ALL = "istio-http/1.0 istio-http/1.1 istio-h2 istio";

/** Istio's table: each chain as `transport [alpn] -> tls|plain`. */
const table: readonly (readonly ["http" | "tcp", string, readonly string[], boolean])[] = [
  ["http", "PERMISSIVE", [`tls [${ALL}] -> mesh`, "raw_buffer [] -> plain"], true],
  ["http", "STRICT", ["tls [] -> mesh"], true],
  ["http", "DISABLE", ["raw_buffer [] -> plain"], false],
  ["tcp", "PERMISSIVE", [`tls [${ALL}] -> mesh`, "tls [] -> plain", "raw_buffer [] -> plain"], true],
  ["tcp", "STRICT", ["tls [] -> mesh"], true],
  ["tcp", "DISABLE", ["raw_buffer [] -> plain"], false],
];
for (const [protocol, mode, want, inspected] of table) {
  test(`an inbound ${protocol} port in mode ${mode} has the chains ${want.join(", ")}`, () => {
    const yaml = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }
`;
    const state = sampleState({ yaml, workloads: [workload("web", { ports: [port({ protocol })] })] });
    const { snapshot, changed } = state.next();
    const translator = createTranslator();
    translator.publish(snapshot, changed);
    const map = translator.preview("default/web-1")?.types.get(TYPE_URL.listener);
    const bytes = map?.get("10.0.0.1_9080")?.bytes;
    assert.ok(bytes, "the port has its listener");
    const listener = Listener.decode(bytes);
    assert.deepEqual(
      listener.filterChains.map(({ filterChainMatch: match, transportSocket }) => {
        const alpn = match?.applicationProtocols.join(" ");
        return `${match?.transportProtocol} [${alpn}] -> ${transportSocket ? "mesh" : "plain"}`;
      }),
      want,
    );
    assert.equal(listener.listenerFilters.length > 0, inspected);
  });
}
