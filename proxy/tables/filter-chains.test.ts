import assert from "node:assert/strict";
import { test } from "node:test";
import type { FilterChainMatch } from "../model/listener.ts";
import { type ConnectionHello, compileChainMatch } from "./filter-chains.ts";

const nothing: FilterChainMatch = {
  destinationPort: undefined,
  prefixRanges: [],
  sourceRanges: [],
  serverNames: [],
  transport: undefined,
  alpn: [],
};
const chain = (
  name: string,
  match: Partial<FilterChainMatch>,
): { name: string; match: FilterChainMatch } => ({ name, match: { ...nothing, ...match } });
const hello = (fields: Partial<ConnectionHello>): ConnectionHello => ({
  remoteAddress: "10.0.0.9",
  remotePort: 40_000,
  localAddress: "10.0.0.1",
  localPort: 80,
  captured: false,
  transport: "raw_buffer",
  serverName: "",
  alpn: [],
  ...fields,
});

const ISTIO = ["istio-http/1.1", "istio", "istio-peer-exchange"];

test("TCP PERMISSIVE: mesh TLS, the application's TLS and plain bytes each find their chain", () => {
  const choose = compileChainMatch(
    [
      chain("mtls", { transport: "tls", alpn: ISTIO }),
      chain("app-tls", { transport: "tls" }),
      chain("plain", { transport: "raw_buffer" }),
    ],
    undefined,
  );
  assert.equal(choose(hello({ transport: "tls", alpn: ["istio-peer-exchange", "istio"] }))?.name, "mtls");
  assert.equal(choose(hello({ transport: "tls", alpn: ["h2", "http/1.1"] }))?.name, "app-tls");
  assert.equal(choose(hello({ transport: "tls" }))?.name, "app-tls");
  assert.equal(choose(hello({}))?.name, "plain");
});

test("HTTP PERMISSIVE has no chain for foreign TLS, STRICT none for plain bytes", () => {
  const permissive = compileChainMatch(
    [chain("mtls", { transport: "tls", alpn: ISTIO }), chain("plain", { transport: "raw_buffer" })],
    undefined,
  );
  assert.equal(permissive(hello({ transport: "tls", alpn: ["http/1.1"] })), undefined);
  const strict = compileChainMatch([chain("mtls", { transport: "tls" })], undefined);
  assert.equal(strict(hello({})), undefined);
});

test("port comes before address, address before server name, and the more specific wins", () => {
  const choose = compileChainMatch(
    [
      chain("any", {}),
      chain("port", { destinationPort: 8080 }),
      chain("net", { prefixRanges: [{ address: "10.0.0.0", length: 8 }] }),
      chain("host", { prefixRanges: [{ address: "10.0.0.1", length: 32 }] }),
      chain("wild", { serverNames: ["*.example.com"] }),
      chain("name", { serverNames: ["a.example.com"] }),
    ],
    undefined,
  );
  assert.equal(choose(hello({ localPort: 8080 }))?.name, "port");
  assert.equal(choose(hello({}))?.name, "host");
  assert.equal(choose(hello({ localAddress: "10.9.9.9", serverName: "a.example.com" }))?.name, "net");
  assert.equal(choose(hello({ localAddress: "192.168.0.1", serverName: "a.example.com" }))?.name, "name");
  assert.equal(choose(hello({ localAddress: "192.168.0.1", serverName: "b.example.com" }))?.name, "wild");
  assert.equal(choose(hello({ localAddress: "192.168.0.1" }))?.name, "any");
});

test("the default chain takes what no other does", () => {
  const fallback = chain("default", {});
  assert.equal(compileChainMatch([chain("tls", { transport: "tls" })], fallback)(hello({}))?.name, "default");
});

test("the most specific server name wins, then the most specific caller", () => {
  const choose = compileChainMatch(
    [
      chain("any", {}),
      chain("wide", { serverNames: ["*.example.com"] }),
      chain("narrow", { serverNames: ["*.b.example.com", "a.example.com"] }),
      chain("narrow-near", {
        serverNames: ["a.example.com"],
        sourceRanges: [{ address: "10.0.0.0", length: 8 }],
      }),
      chain("near", { sourceRanges: [{ address: "10.0.0.0", length: 24 }] }),
    ],
    undefined,
  );
  const name = (serverName: string, remoteAddress = "192.0.2.1"): string | undefined =>
    choose(hello({ serverName, remoteAddress }))?.name;
  assert.equal(name("x.example.com"), "wide");
  assert.equal(name("x.b.example.com"), "narrow");
  assert.equal(name("a.example.com"), "narrow");
  assert.equal(name("a.example.com", "10.9.9.9"), "narrow-near");
  assert.equal(name("example.com"), "any");
  assert.equal(name("", "10.0.0.7"), "near");
});

test("what is more specific in an earlier respect wins, and there is no way back from it", () => {
  const fallback = chain("fallback", {});
  const choose = compileChainMatch(
    [
      chain("address", { prefixRanges: [{ address: "10.0.0.1", length: 32 }], serverNames: ["a.example"] }),
      chain("any", { transport: "tls" }),
    ],
    fallback,
  );
  assert.equal(choose(hello({ transport: "tls", serverName: "b.example" })), fallback);
  assert.equal(choose(hello({ transport: "tls", localAddress: "10.0.0.2" }))?.name, "any");
});
