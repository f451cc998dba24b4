import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, PLAIN_CALL } from "./call.ts";
import { chooseFilterChain } from "./filter-chain-match.ts";
import { detect } from "./listener-filters.ts";
import { configOf, HTTP_INSPECTOR, type Json, listener, TLS_INSPECTOR } from "./testing/json-config.ts";

const range = (addressPrefix: string, prefixLen: number): Json => ({ addressPrefix, prefixLen });
const tls = (sni: string, ...alpn: readonly string[]): Partial<Call> => ({ tls: { sni, alpn } });
const from = (address: string, port?: number): Partial<Call> => ({
  source: { address, port, principal: undefined },
});

interface Case {
  readonly name: string;
  /** Matches by the name of their chain. */
  readonly chains: Readonly<Record<string, Json>>;
  readonly call: Partial<Call>;
  readonly want: string | undefined;
  readonly over?: Json;
}

const mesh = {
  istio: { transportProtocol: "tls", applicationProtocols: ["istio", "istio-h2"] },
  tls: { transportProtocol: "tls" },
  raw: { transportProtocol: "raw_buffer" },
};
const names = {
  exact: { serverNames: ["a.b.test"] },
  long: { serverNames: ["*.b.test"] },
  short: { serverNames: ["*.test"] },
};

const cases: readonly Case[] = [
  {
    name: "a port wins over none",
    chains: { any: {}, port: { destinationPort: 80 } },
    call: {},
    want: "port",
  },
  {
    name: "another port leaves the one without",
    chains: { any: {}, port: { destinationPort: 81 } },
    call: {},
    want: "any",
  },
  {
    name: "the longest destination range wins",
    chains: {
      wide: { prefixRanges: [range("10.0.0.0", 8)] },
      near: { prefixRanges: [range("10.1.0.0", 16)] },
    },
    call: { address: "10.1.2.3" },
    want: "near",
  },
  {
    name: "the port is asked before the range",
    chains: { range: { prefixRanges: [range("10.1.0.0", 16)] }, port: { destinationPort: 80 } },
    call: { address: "10.1.2.3" },
    want: "port",
  },
  {
    name: "an IPv6 range",
    chains: { v4: { prefixRanges: [range("0.0.0.0", 0)] }, v6: { prefixRanges: [range("fd00::", 8)] } },
    call: { address: "fd00::7" },
    want: "v6",
  },
  { name: "the exact server name", chains: names, call: tls("a.b.test"), want: "exact" },
  { name: "server names in any case", chains: names, call: tls("A.B.Test"), want: "exact" },
  { name: "the longest wildcard", chains: names, call: tls("x.b.test"), want: "long" },
  { name: "a wildcard at any depth", chains: names, call: tls("x.y.z.test"), want: "short" },
  {
    name: "a wildcard is not the name itself",
    chains: { wild: { serverNames: ["*.b.test"] } },
    call: tls("b.test"),
    want: undefined,
  },
  { name: "the transport", chains: mesh, call: {}, want: "raw" },
  { name: "TLS of another kind", chains: mesh, call: tls("", "h2"), want: "tls" },
  { name: "the application protocol", chains: mesh, call: tls("", "h2", "istio"), want: "istio" },
  {
    name: "the client's order of protocols decides",
    chains: { a: { applicationProtocols: ["a"] }, b: { applicationProtocols: ["b"] } },
    call: tls("", "b", "a"),
    want: "b",
  },
  {
    name: "no way back: a name without the protocol",
    chains: { named: { serverNames: ["x.test"], applicationProtocols: ["h2"] }, any: {} },
    call: tls("x.test", "http/1.1"),
    want: undefined,
  },
  {
    name: "the default chain where there is no way back",
    chains: { named: { serverNames: ["x.test"], applicationProtocols: ["h2"] }, any: {} },
    call: tls("x.test", "http/1.1"),
    over: { defaultFilterChain: { name: "default" } },
    want: "default",
  },
  {
    name: "the direct source range",
    chains: { any: {}, near: { directSourcePrefixRanges: [range("10.0.0.0", 8)] } },
    call: from("10.2.0.1"),
    want: "near",
  },
  {
    name: "a source on the same host",
    chains: { local: { sourceType: "SAME_IP_OR_LOOPBACK" }, external: { sourceType: "EXTERNAL" } },
    call: { address: "10.0.0.1", ...from("10.0.0.1") },
    want: "local",
  },
  {
    name: "a source on another host",
    chains: { local: { sourceType: "SAME_IP_OR_LOOPBACK" }, external: { sourceType: "EXTERNAL" } },
    call: { address: "10.0.0.1", ...from("10.0.0.2") },
    want: "external",
  },
  {
    name: "the longest source range",
    chains: {
      wide: { sourcePrefixRanges: [range("10.0.0.0", 8)] },
      near: { sourcePrefixRanges: [range("10.2.0.0", 16)] },
    },
    call: from("10.2.0.1"),
    want: "near",
  },
  {
    name: "the source port",
    chains: { any: {}, port: { sourcePorts: [9, 10] } },
    call: from("10.0.0.1", 10),
    want: "port",
  },
  {
    name: "a source port that nobody told",
    chains: { any: {}, port: { sourcePorts: [9] } },
    call: {},
    want: "any",
  },
  { name: "nothing matches", chains: { tls: mesh.tls }, call: {}, want: undefined },
  {
    name: "TLS that no inspector sees is raw bytes",
    chains: mesh,
    call: tls("a.test", "istio"),
    over: { listenerFilters: [] },
    want: "raw",
  },
  {
    name: "an inspector that is off at this port",
    chains: mesh,
    call: tls("a.test", "istio"),
    over: {
      listenerFilters: [
        { ...TLS_INSPECTOR, filterDisabled: { destinationPortRange: { start: 80, end: 81 } } },
      ],
    },
    want: "raw",
  },
  {
    name: "an inspector that is off elsewhere",
    chains: mesh,
    call: tls("a.test", "istio"),
    over: {
      listenerFilters: [
        { ...TLS_INSPECTOR, filterDisabled: { notMatch: { destinationPortRange: { start: 80, end: 81 } } } },
      ],
    },
    want: "istio",
  },
  {
    name: "sniffed HTTP/1.1",
    chains: { http: { applicationProtocols: ["http/1.1", "h2c"] }, any: {} },
    call: {},
    want: "http",
  },
  {
    name: "sniffed HTTP/2",
    chains: { h2c: { applicationProtocols: ["h2c"] }, any: {} },
    call: { protocol: "http2" },
    want: "h2c",
  },
  {
    name: "bytes that are no HTTP",
    chains: { h1: { applicationProtocols: ["http/1.1"] }, any: {} },
    call: { protocol: "tcp" },
    want: "any",
  },
];

for (const { name, chains, call: over, want, over: listenerOver } of cases) {
  test(`chooses a filter chain: ${name}`, () => {
    const filterChains = Object.entries(chains).map(([name, filterChainMatch]) => ({
      name,
      filterChainMatch,
    }));
    const { listeners } = configOf({
      listeners: [
        listener("l", "0.0.0.0", 80, {
          filterChains,
          listenerFilters: [TLS_INSPECTOR, HTTP_INSPECTOR],
          ...listenerOver,
        }),
      ],
    });
    const [only] = listeners.values();
    assert.ok(only);
    const call = { ...PLAIN_CALL, ...over };
    assert.equal(chooseFilterChain(only, call, detect([only], call))?.chain.name, want);
  });
}

test("a chain is explained by what it asked for", () => {
  const filterChains = [{ filterChainMatch: { destinationPort: 80, transportProtocol: "tls" } }, {}];
  const [only] = configOf({
    listeners: [listener("l", "0.0.0.0", 80, { filterChains, listenerFilters: [TLS_INSPECTOR] })],
  }).listeners.values();
  assert.ok(only);
  const call = { ...PLAIN_CALL, tls: { sni: "", alpn: [] } };
  assert.deepEqual(
    chooseFilterChain(only, call, detect([only], call))?.why,
    "destination port 80, transport tls",
  );
});
