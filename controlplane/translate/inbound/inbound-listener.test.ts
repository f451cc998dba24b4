import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type {
  FilterChain,
  ListenerFilterChainMatchPredicate,
} from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translator.ts";

const ALL = "istio-http/1.0 istio-http/1.1 istio-h2 istio";

const HTTP = "istio-http/1.0 istio-http/1.1 istio-h2";
const PLAIN_HTTP = "raw_buffer [http/1.0 http/1.1 h2c] -> plain";
const AUTO_HTTP = [`tls [${HTTP}] -> mesh`, PLAIN_HTTP];

/** Istio's table: each chain as `transport [alpn] -> tls|plain`. */
const table: readonly (readonly ["http" | "tcp" | "auto", string, readonly string[], boolean])[] = [
  ["http", "PERMISSIVE", [`tls [${ALL}] -> mesh`, "raw_buffer [] -> plain"], true],
  ["http", "STRICT", ["tls [] -> mesh"], true],
  ["http", "DISABLE", ["raw_buffer [] -> plain"], false],
  ["tcp", "PERMISSIVE", [`tls [${ALL}] -> mesh`, "tls [] -> plain", "raw_buffer [] -> plain"], true],
  ["tcp", "STRICT", ["tls [] -> mesh"], true],
  ["tcp", "DISABLE", ["raw_buffer [] -> plain"], false],
  [
    "auto",
    "PERMISSIVE",
    [...AUTO_HTTP, "tls [istio] -> mesh", "tls [] -> plain", "raw_buffer [] -> plain"],
    true,
  ],
  ["auto", "STRICT", [`tls [${HTTP}] -> mesh`, "tls [] -> mesh"], true],
  ["auto", "DISABLE", [PLAIN_HTTP, "raw_buffer [] -> plain"], true],
];
for (const [protocol, mode, want, inspected] of table) {
  test(`an inbound ${protocol} port in mode ${mode} has the chains ${want.join(", ")}`, () => {
    const listener = listenerOf("10.0.0.1_9080", mode, { ports: [port({ protocol })] });
    assert.deepEqual(listener.filterChains.map(chainText), want);
    assert.equal(listener.listenerFilters.length > 0, inspected);
  });
}

const NONE_OF_PORTS = "9080 9090";

/** Calls to ports that a captured workload has not declared; and the ports at which inspectors do not look, if they do. */
const passthrough: readonly {
  readonly mode: string;
  readonly want: readonly string[];
  readonly tlsBut: string | undefined;
  readonly httpBut: string | undefined;
}[] = [
  {
    mode: "PERMISSIVE",
    want: [
      `tls [${HTTP}] -> mesh`,
      PLAIN_HTTP,
      "tls [istio] -> mesh",
      "tls [] -> plain",
      "raw_buffer [] -> plain",
    ],
    tlsBut: "",
    httpBut: NONE_OF_PORTS,
  },
  {
    mode: "STRICT",
    want: [`tls [${HTTP}] -> mesh`, "tls [] -> mesh"],
    tlsBut: "",
    httpBut: undefined,
  },
  {
    mode: "DISABLE",
    want: [PLAIN_HTTP, "raw_buffer [] -> plain"],
    tlsBut: undefined,
    httpBut: NONE_OF_PORTS,
  },
  {
    mode: "PERMISSIVE }, selector: { matchLabels: { app: web } }, portLevelMtls: { 9090: { mode: DISABLE }",
    want: [
      `tls [${HTTP}] -> mesh`,
      PLAIN_HTTP,
      "tls [istio] -> mesh",
      "tls [] -> plain",
      "raw_buffer [] -> plain",
    ],
    tlsBut: "9090",
    httpBut: NONE_OF_PORTS,
  },
  {
    mode: "DISABLE }, selector: { matchLabels: { app: web } }, portLevelMtls: { 9090: { mode: STRICT }",
    want: [PLAIN_HTTP, "raw_buffer [] -> plain"],
    tlsBut: "not 9090",
    httpBut: NONE_OF_PORTS,
  },
];
for (const { mode, want, tlsBut, httpBut } of passthrough) {
  test(`captured calls to undeclared ports in mode ${mode} have the chains ${want.join(", ")}`, () => {
    const place = (number: number): SocketAddress => ({ address: "10.0.0.1", port: number });
    const tcp = port({
      name: "tcp",
      protocol: "tcp",
      servicePort: 9090,
      inbound: place(9090),
      app: place(9090),
    });
    const over = { interception: "redirect", ports: [port(), tcp] } as const;
    const listener = listenerOf("virtualInbound", mode, over);
    const chains = listener.filterChains.filter(({ name }) => name.includes("catchall"));
    assert.deepEqual(chains.map(chainText), want);
    assert.equal(exceptionsOf(listener, "tls_inspector"), tlsBut);
    assert.equal(exceptionsOf(listener, "http_inspector"), httpBut);
  });
}

function listenerOf(name: string, mode: string, over: Parameters<typeof workload>[1]): Listener {
  const yaml = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }
`;
  const { snapshot, changed } = sampleState({ yaml, workloads: [workload("web", over)] }).next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const bytes = translator.preview("default/web-1")?.types.get(TYPE_URL.listener)?.get(name)?.bytes;
  assert.ok(bytes, `there is ${name}`);
  return Listener.decode(bytes);
}

function chainText({ filterChainMatch: match, transportSocket }: FilterChain): string {
  const alpn = match?.applicationProtocols.join(" ");
  return `${match?.transportProtocol} [${alpn}] -> ${transportSocket ? "mesh" : "plain"}`;
}

/** Ports at which an inspector does not look; empty: none, undefined: there is no such inspector. */
function exceptionsOf({ listenerFilters }: Listener, inspector: string): string | undefined {
  const filter = listenerFilters.find(({ name }) => name.endsWith(inspector));
  return filter && portsOf(filter.filterDisabled);
}

function portsOf(predicate: ListenerFilterChainMatchPredicate | undefined): string {
  if (predicate?.notMatch !== undefined) return `not ${portsOf(predicate.notMatch)}`;
  const rules = predicate?.orMatch?.rules ?? (predicate === undefined ? [] : [predicate]);
  return rules.map(({ destinationPortRange: range }) => range?.start).join(" ");
}
