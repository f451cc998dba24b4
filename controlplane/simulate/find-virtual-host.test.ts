import assert from "node:assert/strict";
import { test } from "node:test";
import { findVirtualHost } from "./find-virtual-host.ts";
import { configOf } from "./testing/json-config.ts";

interface Case {
  readonly name: string;
  readonly domains: readonly string[];
  readonly host: string;
  readonly want: string | undefined;
  readonly ignorePort?: boolean;
}

const mixed = ["www.a.test", "*.a.test", "*-x.a.test", "www.*", "www.a.*", "*"];

const cases: readonly Case[] = [
  { name: "the exact domain", domains: mixed, host: "www.a.test", want: "www.a.test" },
  { name: "in any case", domains: mixed, host: "WWW.a.TEST", want: "www.a.test" },
  { name: "a domain in capitals", domains: ["A.test"], host: "a.test", want: "A.test" },
  { name: "the longest suffix", domains: mixed, host: "b-x.a.test", want: "*-x.a.test" },
  {
    name: "a suffix before a prefix",
    domains: ["www.a.b.*", "*.test"],
    host: "www.a.b.test",
    want: "*.test",
  },
  { name: "a suffix at any depth", domains: mixed, host: "b.c.a.test", want: "*.a.test" },
  { name: "a star is at least one character", domains: ["*.a.test"], host: ".a.test", want: undefined },
  { name: "the longest prefix", domains: mixed, host: "www.a.org", want: "www.a.*" },
  { name: "a shorter prefix", domains: mixed, host: "www.b", want: "www.*" },
  { name: "a prefix needs a character too", domains: ["www.*"], host: "www.", want: undefined },
  { name: "all others", domains: mixed, host: "other", want: "*" },
  { name: "no host", domains: mixed, host: "", want: "*" },
  { name: "none", domains: ["a"], host: "b", want: undefined },
  {
    name: "a port is part of the host",
    domains: ["a.test", "a.test:80"],
    host: "a.test:80",
    want: "a.test:80",
  },
  { name: "a port that no domain has", domains: ["a.test"], host: "a.test:81", want: undefined },
  {
    name: "a port that is ignored",
    domains: ["a.test"],
    host: "a.test:81",
    want: "a.test",
    ignorePort: true,
  },
  { name: "an IPv6 address has no port", domains: ["[::1]"], host: "[::1]", want: "[::1]", ignorePort: true },
  {
    name: "an IPv6 address with a port",
    domains: ["[::1]"],
    host: "[::1]:80",
    want: "[::1]",
    ignorePort: true,
  },
];

for (const { name, domains, host, want, ignorePort } of cases) {
  test(`finds a virtual host: ${name}`, () => {
    const virtualHosts = domains.map((domain) => ({ name: domain, domains: [domain] }));
    const routes = [{ name: "r", virtualHosts, ignorePortInHostMatching: ignorePort ?? false }];
    const [configuration] = configOf({ routes }).routes.values();
    assert.ok(configuration);
    assert.equal(findVirtualHost(configuration, host)?.domain, want);
  });
}
