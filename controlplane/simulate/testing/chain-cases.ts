import type { Call, ClientHello } from "../call.ts";
import { httpManager, type Json, named, routeConfig } from "./json-config.ts";

/** Filter chains that answer with their name, and the connections to try them with. */

export function chain(name: string, match: Json | undefined, over: Json = {}): Json {
  return {
    name,
    ...(match && { filterChainMatch: match }),
    filters: [httpManager(routeConfig(name, [named(name, { prefix: "/" })]))],
    ...over,
  };
}

/** `tls`: the transport socket of the chains that end TLS. */
export function tlsChains(tls: Json): readonly Json[] {
  const ends = (name: string, match: Json): Json => chain(name, match, { transportSocket: tls });
  return [
    ends("exact", { serverNames: ["www.a.test"] }),
    ends("wildcard", { serverNames: ["*.a.test"] }),
    ends("long-wildcard", { serverNames: ["*.b.a.test"] }),
    ends("alpn-h2", { serverNames: ["alpn.test"], applicationProtocols: ["h2"] }),
    ends("alpn-istio", { serverNames: ["alpn.test"], applicationProtocols: ["istio", "istio-h2"] }),
    ends("only-alpn", { applicationProtocols: ["special"] }),
    ends("dead-end", { serverNames: ["dead.test"], applicationProtocols: ["nothing"] }),
    ends("any-tls", { transportProtocol: "tls" }),
    chain("raw", { transportProtocol: "raw_buffer" }),
  ];
}

const hello = (sni: string, ...alpn: readonly string[]): ClientHello => ({ sni, alpn });

export const HELLOS: readonly (ClientHello | undefined)[] = [
  undefined,
  ...[
    "www.a.test",
    "WWW.A.test",
    "x.a.test",
    "a.test",
    "x.b.a.test",
    "y.x.b.a.test",
    "b.a.test",
    "other.test",
    "",
  ].map((sni) => hello(sni)),
  hello("alpn.test", "h2"),
  hello("alpn.test", "istio-h2", "h2"),
  hello("alpn.test", "http/1.1", "h2", "istio"),
  hello("alpn.test", "http/1.1"),
  hello("alpn.test"),
  hello("other.test", "special"),
  hello("www.a.test", "special"),
  hello("", "special", "h2"),
  hello("dead.test", "h2"),
  hello("dead.test", "nothing"),
  hello("other.test", "h2"),
];

/** By port, addresses and source; `other` is a port that no chain names. */
export function addressChains(port: number): readonly Json[] {
  const range = (addressPrefix: string, prefixLen: number): Json => ({ addressPrefix, prefixLen });
  return [
    chain("port", { destinationPort: port, prefixRanges: [range("127.0.0.9", 32)] }),
    chain("port-wide", { destinationPort: port, prefixRanges: [range("127.0.0.0", 24)] }),
    chain("source", {
      destinationPort: port,
      prefixRanges: [range("127.0.1.0", 24)],
      sourcePrefixRanges: [range("10.0.0.0", 8)],
    }),
    chain("local", {
      destinationPort: port,
      prefixRanges: [range("127.0.2.0", 24)],
      sourceType: "SAME_IP_OR_LOOPBACK",
    }),
    chain("external", {
      destinationPort: port,
      prefixRanges: [range("127.0.2.0", 24)],
      sourceType: "EXTERNAL",
    }),
    chain("near", {
      destinationPort: port,
      prefixRanges: [range("127.0.3.0", 24)],
      sourcePrefixRanges: [range("127.0.0.0", 8)],
    }),
    chain("nearer", {
      destinationPort: port,
      prefixRanges: [range("127.0.3.0", 24)],
      sourcePrefixRanges: [range("127.0.0.0", 16)],
    }),
    chain("no-port", { prefixRanges: [range("127.0.4.0", 24)] }),
  ];
}

export const ADDRESSES: readonly Call["address"][] = [
  "127.0.0.9",
  "127.0.0.8",
  "127.0.1.1",
  "127.0.2.1",
  "127.0.3.1",
  "127.0.4.1",
  "127.9.9.9",
];
