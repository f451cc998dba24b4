import assert from "node:assert/strict";
import { test } from "node:test";
import type { FilterChainMatch } from "../model/listener.ts";
import { type ConnectionHello, compileChainMatch } from "./filter-chains.ts";

const nothing: FilterChainMatch = {
  destinationPort: undefined,
  prefixRanges: [],
  serverNames: [],
  transport: undefined,
  alpn: [],
};
const chain = (
  name: string,
  match: Partial<FilterChainMatch>,
): { name: string; match: FilterChainMatch } => ({ name, match: { ...nothing, ...match } });
const hello = (fields: Partial<ConnectionHello>): ConnectionHello => ({
  localAddress: "10.0.0.1",
  localPort: 80,
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
