import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServiceHints, VOCABULARY } from "./vocabulary.ts";

test("a service that says nothing is not in the mesh and has only its name as a label", () => {
  assert.deepEqual(parseServiceHints("web", ["primary", "v1"], { team: "shop" }), {
    hints: {
      inject: false,
      port: undefined,
      protocol: undefined,
      version: undefined,
      labels: { app: "web" },
      serviceAccount: undefined,
      namespace: undefined,
      upstreams: [],
      weight: undefined,
      locality: undefined,
      app: undefined,
      network: undefined,
      discovery: undefined,
      interception: undefined,
      owner: undefined,
      httpProxy: undefined,
      vips: false,
      group: undefined,
      mtls: undefined,
      saysApp: false,
    },
    problems: [],
    unclear: false,
  });
});

const everything = {
  inject: true,
  port: 9080,
  protocol: "http",
  version: "v2",
  labels: { app: "reviews", version: "v2", tier: "backend" },
  serviceAccount: "reviews-sa",
  namespace: "bookinfo",
  upstreams: [
    { host: "ratings", port: 9080, bindAddress: undefined, bindPort: undefined },
    { host: "details.shop", port: 9080, bindAddress: undefined, bindPort: 9082 },
    { host: "db", port: 5432, bindAddress: "127.0.0.2", bindPort: 5433 },
    { host: "log", port: 514, bindAddress: "::1", bindPort: 515 },
    { host: "web", port: 0, bindAddress: undefined, bindPort: 15_100 },
  ],
  weight: 5,
  locality: "eu/eu-1",
  app: { address: "127.0.0.1", port: 9081 },
  network: "dmz",
  discovery: "on-demand",
  interception: "redirect",
  owner: { kind: "unit", unit: "reviews@1.service" },
  httpProxy: { address: undefined, port: 15_080 },
  vips: true,
  group: "reviews-vms",
  mtls: "strict",
  saysApp: false,
};

const written: Readonly<Record<string, string>> = {
  inject: "true",
  port: "9080",
  protocol: "http",
  version: "v2",
  sa: "reviews-sa",
  namespace: "bookinfo",
  upstreams: "ratings:9080, details.shop:9080@9082,db:5432@127.0.0.2:5433,log:514@[::1]:515,web@15100",
  weight: "5",
  locality: "eu/eu-1",
  app: "127.0.0.1:9081",
  network: "dmz",
  discovery: "on-demand",
  interception: "redirect",
  owner: "unit:reviews@1.service",
  "http-proxy": "15080",
  vips: "true",
  group: "reviews-vms",
  mtls: "strict",
};

test("tags spell every word with dots", () => {
  const tags = [
    ...Object.entries(written).map(([key, value]) => `lateen.${key}=${value}`),
    "lateen.label.tier=backend",
  ];
  assert.deepEqual(parseServiceHints("reviews", tags, {}), {
    hints: everything,
    problems: [],
    unclear: false,
  });
});

test("metadata spells every word with dashes", () => {
  const meta = Object.fromEntries(Object.entries(written).map(([key, value]) => [`lateen-${key}`, value]));
  assert.deepEqual(parseServiceHints("reviews", [], { ...meta, "lateen-label-tier": "backend" }), {
    hints: everything,
    problems: [],
    unclear: false,
  });
});

test("metadata wins over a tag, which is told where they differ", () => {
  const { hints, problems } = parseServiceHints("web", ["lateen.port=1", "lateen.label.a=tag"], {
    "lateen-port": "2",
    "lateen-label-a": "meta",
  });
  assert.equal(hints.port, 2);
  assert.equal(hints.labels["a"], "meta");
  assert.deepEqual(problems, [
    {
      path: "meta lateen-port",
      message: "says 2 where tag lateen.port says 1: the metadata counts",
      severity: "warning",
    },
    {
      path: "meta lateen-label-a",
      message: "says meta where tag lateen.label.a says tag: the metadata counts",
      severity: "warning",
    },
  ]);
  const agreed = parseServiceHints("web", ["lateen.port=2"], { "lateen-port": "2" });
  assert.deepEqual([agreed.problems, agreed.hints.port], [[], 2]);
});

test("a mesh may spell its words with another prefix, and then lateen's are nobody's business", () => {
  const own = { prefix: "acme-mesh", optOut: false };
  const { hints, problems } = parseServiceHints(
    "web",
    ["acme-mesh.inject=true", "acme-mesh.label.tier=a", "lateen.port=x"],
    { "acme-mesh-sa": "shop", "lateen-protocol": "x" },
    own,
  );
  assert.deepEqual([hints.inject, hints.labels["tier"], hints.serviceAccount], [true, "a", "shop"]);
  assert.deepEqual(problems, []);
});

test("in opt-out a service that says nothing is in the mesh, and one may say that it is not", () => {
  const optOut = { ...VOCABULARY, optOut: true };
  assert.equal(parseServiceHints("web", [], {}, optOut).hints.inject, true);
  assert.equal(parseServiceHints("web", ["lateen.inject=false"], {}, optOut).hints.inject, false);
});

test("what is said of being in the mesh and cannot be meant is unclear", () => {
  for (const tags of [["lateen.inject=true", "lateen.inject=false"], ["lateen.inject=yes"]])
    assert.equal(parseServiceHints("web", tags, {}).unclear, true);
  assert.equal(parseServiceHints("web", ["lateen.inject=true", "lateen.port=x"], {}).unclear, false);
});

test("the plain version of a service stands in for lateen's, and labels of its own win over both", () => {
  assert.equal(parseServiceHints("web", [], { version: "1.4" }).hints.labels["version"], "1.4");
  assert.equal(parseServiceHints("web", ["lateen.version=v2"], { version: "1.4" }).hints.version, "v2");
  const { hints } = parseServiceHints("web", ["lateen.label.app=shop", "lateen.label.version=v9"], {
    version: "v1",
  });
  assert.deepEqual(hints.labels, { app: "shop", version: "v9" });
  assert.equal(hints.saysApp, true);
});

test("a plain version that cannot be a label is nobody's mistake", () => {
  const { hints, problems } = parseServiceHints("web", [], { version: "1.4 (build 7)" });
  assert.equal(hints.version, undefined);
  assert.deepEqual(problems, []);
});

const mistakes: readonly { readonly tag: string; readonly says: RegExp }[] = [
  { tag: "lateen.port=0", says: /port from 1 to 65535, not “0”/ },
  { tag: "lateen.port=65536", says: /port from 1 to 65535/ },
  { tag: "lateen.port=09080", says: /port from 1 to 65535/ },
  { tag: "lateen.port=80a", says: /port from 1 to 65535/ },
  { tag: "lateen.inject=yes", says: /true or false/ },
  { tag: "lateen.inject", says: /has no value: write lateen.inject=/ },
  { tag: "lateen.protocol=htttp", says: /one of http.*did you mean http\?/ },
  { tag: "lateen.sa=../admin", says: /a-z, 0-9 and -/ },
  { tag: "lateen.sa=", says: /a-z, 0-9 and -/ },
  { tag: "lateen.namespace=Shop", says: /a-z, 0-9 and -/ },
  { tag: "lateen.version=v 2", says: /label's value/ },
  { tag: "lateen.label.a b=c", says: /no label name/ },
  { tag: "lateen.label.a=b c", says: /label's value/ },
  { tag: "lateen.weight=0", says: /from 1 to 65535/ },
  { tag: "lateen.locality=a/b/c/d", says: /region\/zone\/subzone/ },
  { tag: "lateen.app=9080", says: /address:port/ },
  { tag: "lateen.group=shop/web", says: /name of a WorkloadGroup/ },
  { tag: "lateen.network=a b", says: /label's value/ },
  { tag: "lateen.discovery=all", says: /one of upstreams, mesh, on-demand/ },
  { tag: "lateen.mtls=disable", says: /one of strict, permissive/ },
  { tag: "lateen.interception=tproxy", says: /one of none, redirect/ },
  { tag: "lateen.owner=reviews", says: /must be user:NAME, unit:NAME.service or cgroup:PATH/ },
  { tag: "lateen.http-proxy=127.0.0.1", says: /a port or address:port/ },
  { tag: "lateen.upstreams=reviews", says: /“reviews” is not host:port/ },
  { tag: "lateen.upstreams=reviews:9080@x", says: /is not host:port/ },
  { tag: "lateen.upstreams=a:1@2@3", says: /is not host:port/ },
  { tag: "lateen.upstreams=a:80,b:80", says: /bind the same port/ },
];

for (const { tag, says } of mistakes) {
  test(`${tag} is refused with the reason`, () => {
    const { problems } = parseServiceHints("web", [tag], {});
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.message ?? "", says);
    assert.equal(problems[0]?.severity, "error");
    assert.equal(problems[0]?.path, `tag ${tag.split("=", 1)[0]}`);
  });
}

test("an unknown word is a warning with the word that was most likely meant", () => {
  const { problems } = parseServiceHints("web", ["lateen.prot=http"], { "lateen-injct": "true" });
  assert.deepEqual(problems, [
    { path: "tag lateen.prot", message: "is no word of Lateen's, did you mean port?", severity: "warning" },
    {
      path: "meta lateen-injct",
      message: "is no word of Lateen's, did you mean inject?",
      severity: "warning",
    },
  ]);
});

test("a word that is only planned says so", () => {
  const [problem] = parseServiceHints("web", ["lateen.metrics=9102/metrics"], {}).problems;
  assert.deepEqual(problem, {
    path: "tag lateen.metrics",
    message: "is not read yet: applications' metrics are not merged, have them scraped where they are",
    severity: "warning",
  });
});

test("two tags that contradict each other are refused, the same tag twice is not", () => {
  const twice = parseServiceHints("web", ["lateen.port=1", "lateen.port=1"], {});
  assert.deepEqual(twice.problems, []);
  const both = parseServiceHints("web", ["lateen.port=1", "lateen.port=2"], {});
  assert.match(both.problems[0]?.message ?? "", /is given as both 1 and 2/);
});

test("names that an object has by birth are plain words", () => {
  const { hints, problems } = parseServiceHints("web", ["lateen.constructor=1"], {
    "lateen-label-__proto__": "x",
  });
  assert.equal(problems.length, 2);
  assert.deepEqual(hints.labels, { app: "web" });
});
