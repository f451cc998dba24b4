import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decision, decide, type Names } from "./decide.ts";
import { type HostName, NameTable } from "./name-table.ts";

const host = (hostname: string, over: Partial<HostName> = {}): HostName => ({
  hostname,
  aliases: [],
  addresses: ["240.240.1.2"],
  ports: [{ number: 9080, name: "http-9080" }],
  ...over,
});
const REVIEWS = host("reviews.default.svc.cluster.local", {
  aliases: ["reviews", "reviews.default", "reviews.default.mesh", "reviews.mesh", "reviews.service.consul"],
  ports: [
    { number: 9080, name: "http-9080" },
    { number: 9443, name: "admin" },
  ],
});

function names(...hosts: readonly HostName[]): Names {
  const table = new NameTable("loopback");
  for (const one of hosts) table.set(one);
  return { tables: [table], zones: ["mesh", "svc.cluster.local"], searchDomain: "corp.example" };
}

const ALL = names(
  REVIEWS,
  host("api.example.com", { addresses: ["10.9.8.7", "fd00::7"] }),
  host("*.wild.example", { addresses: ["240.240.9.9"] }),
  host("exact.wild.example", { addresses: ["10.1.1.1"] }),
);

function ask(name: string, type = "A", among: Names = ALL, isInternet = true): string {
  return describe(decide({ name: name.toLowerCase(), spelled: name, type, isInternet }, among));
}

/** `NOERROR a A 1.2.3.4`, with what is additional after a `+` and a SOA after a `!`. */
function describe(decision: Decision): string {
  if (decision.kind !== "content") return decision.kind;
  const { rcode, answers, authorities, additionals } = decision.content;
  const record = (one: (typeof answers)[number]): string =>
    `${one.name} ${one.type} ${"data" in one ? text(one.data) : ""}`;
  return [
    rcode === 0 ? "NOERROR" : rcode === 3 ? "NXDOMAIN" : String(rcode),
    ...answers.map(record),
    ...additionals.map((one) => `+ ${record(one)}`),
    ...authorities.map(({ name }) => `! ${name}`),
  ].join(" | ");
}

function text(data: unknown): string {
  if (typeof data !== "object" || data === null || !("port" in data) || !("target" in data))
    return String(data);
  return `${String(data.port)} ${String(data.target)}`;
}

const cases: readonly { readonly name: string; readonly given: string; readonly want: string }[] = [
  ...["reviews", "reviews.default", "reviews.default.mesh", "reviews.mesh", "reviews.service.consul"].map(
    (spelling) => ({
      name: `a service as ${spelling}`,
      given: ask(spelling),
      want: `NOERROR | ${spelling} A 127.240.1.2`,
    }),
  ),
  {
    name: "a name in the case it was asked in",
    given: ask("Reviews.MESH"),
    want: "NOERROR | Reviews.MESH A 127.240.1.2",
  },
  {
    name: "a known name without an address of that family: no data, and who says so",
    given: ask("reviews.mesh", "AAAA"),
    want: "NOERROR | ! mesh",
  },
  {
    name: "an address that somebody gave",
    given: ask("api.example.com"),
    want: "NOERROR | api.example.com A 10.9.8.7",
  },
  {
    name: "an IPv6 address",
    given: ask("api.example.com", "AAAA"),
    want: "NOERROR | api.example.com AAAA fd00::7",
  },
  { name: "a type that nobody has", given: ask("reviews.mesh", "HTTPS"), want: "NOERROR | ! mesh" },
  { name: "a name that is not in a domain of ours", given: ask("nobody.mesh"), want: "NXDOMAIN | ! mesh" },
  { name: "a domain that names lie in", given: ask("default.mesh"), want: "NOERROR | ! mesh" },
  { name: "the domain itself", given: ask("mesh"), want: "NOERROR | ! mesh" },
  { name: "a name that is nobody's", given: ask("www.example.org"), want: "forward" },
  { name: "Consul's names that are not the mesh's", given: ask("web.service.consul"), want: "forward" },
  { name: "another class", given: ask("reviews.mesh", "A", ALL, false), want: "forward" },
  { name: "the root", given: ask("", "NS"), want: "forward" },
  { name: "a wildcard", given: ask("a.b.wild.example"), want: "NOERROR | a.b.wild.example A 127.240.9.9" },
  { name: "what a wildcard is below", given: ask("wild.example"), want: "forward" },
  {
    name: "a name beside a wildcard",
    given: ask("exact.wild.example"),
    want: "NOERROR | exact.wild.example A 10.1.1.1",
  },
  {
    name: "all ports of a service",
    given: ask("reviews.mesh", "SRV"),
    want:
      "NOERROR | reviews.mesh SRV 9080 reviews.default.svc.cluster.local | reviews.mesh SRV 9443 reviews.default.svc.cluster.local" +
      " | + reviews.default.svc.cluster.local A 127.240.1.2",
  },
  {
    name: "the port of a protocol",
    given: ask("_http._tcp.reviews.default.mesh", "SRV"),
    want:
      "NOERROR | _http._tcp.reviews.default.mesh SRV 9080 reviews.default.svc.cluster.local" +
      " | + reviews.default.svc.cluster.local A 127.240.1.2",
  },
  {
    name: "a port by its name",
    given: ask("_admin._tcp.reviews", "SRV"),
    want:
      "NOERROR | _admin._tcp.reviews SRV 9443 reviews.default.svc.cluster.local" +
      " | + reviews.default.svc.cluster.local A 127.240.1.2",
  },
  { name: "a port that is not there", given: ask("_ftp._tcp.reviews.mesh", "SRV"), want: "NOERROR | ! mesh" },
  {
    name: "over UDP there is nothing",
    given: ask("_http._udp.reviews.mesh", "SRV"),
    want: "NXDOMAIN | ! mesh",
  },
  {
    name: "between a service and its ports",
    given: ask("_tcp.reviews.mesh", "SRV"),
    want: "NOERROR | ! mesh",
  },
  {
    name: "Consul's spelling of it",
    given: ask("_reviews._tcp.service.consul", "SRV"),
    want:
      "NOERROR | _reviews._tcp.service.consul SRV 9080 reviews.default.svc.cluster.local" +
      " | _reviews._tcp.service.consul SRV 9443 reviews.default.svc.cluster.local" +
      " | + reviews.default.svc.cluster.local A 127.240.1.2",
  },
  {
    name: "what a search list makes of a name: it ends here",
    given: ask("reviews.default.corp.example"),
    want: "NOERROR | reviews.default.corp.example CNAME reviews.default | reviews.default A 127.240.1.2",
  },
  { name: "a search list's name of nobody", given: ask("nobody.corp.example"), want: "forward" },
  {
    name: "before anything is known",
    given: ask("reviews.mesh", "A", { ...ALL, tables: [] }),
    want: "unknown",
  },
  {
    name: "before anything is known, a name outside",
    given: ask("www.example.org", "A", { ...ALL, tables: [] }),
    want: "forward",
  },
];

for (const { name, given, want } of cases) {
  test(`the mesh answers ${name}`, () => {
    assert.equal(given, want);
  });
}

test("a service that has the address itself is told that one where the host has a route for it", () => {
  const table = new NameTable("routed");
  table.set(REVIEWS);
  assert.deepEqual(table.find("reviews")?.addresses, ["240.240.1.2"]);
  table.reachBy("loopback");
  assert.deepEqual(table.find("reviews")?.addresses, ["127.240.1.2"]);
});

test("of two hosts that can be written alike, the one that is called so is meant; the other takes its place", () => {
  const table = new NameTable("routed");
  table.set(REVIEWS);
  table.set(host("reviews", { addresses: ["10.0.0.1"] }));
  assert.deepEqual(table.find("reviews")?.addresses, ["10.0.0.1"]);
  table.delete("reviews");
  assert.deepEqual(table.find("reviews")?.addresses, ["240.240.1.2"]);
});

test("what is gone leaves nothing behind", () => {
  const table = new NameTable("routed");
  const before = host("old.default.svc.cluster.local", { aliases: ["old.default.mesh"] });
  table.set(before);
  table.set({ ...before, aliases: ["new.default.mesh"] });
  assert.equal(table.find("old.default.mesh"), undefined);
  assert.ok(table.hasBelow("default.mesh"));
  table.delete(before.hostname);
  for (const name of ["mesh", "default.mesh", "svc.cluster.local", "local"])
    assert.ok(!table.hasBelow(name), name);
  assert.equal(table.find("new.default.mesh"), undefined);
});
