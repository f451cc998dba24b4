import assert from "node:assert/strict";
import { test } from "node:test";
import { mint } from "../../test/harness/test-certificates.ts";
import { parseDocuments } from "./parse-documents.ts";
import { parseObject } from "./parse-object.ts";

const OPTIONS = { defaultNamespace: "default" };

function object(kind: string, group: string, spec: object): Readonly<Record<string, unknown>> {
  return { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name: "a", labels: { app: "a" } }, spec };
}

const CERTIFICATE = mint({ commonName: "a" });

const VALID = [
  object("VirtualService", "networking", {
    hosts: ["reviews"],
    http: [
      {
        match: [{ uri: { regex: "/a+" }, headers: { "end-user": { exact: "jason" } } }],
        fault: { delay: { fixedDelay: "7s", percentage: { value: 10 } } },
        retries: { attempts: 2, perTryTimeout: "1s", retryOn: "5xx" },
        route: [
          { destination: { host: "reviews", subset: "v1" }, weight: 80 },
          { destination: { host: "reviews", subset: "v2" }, weight: 20 },
        ],
      },
      { redirect: { uri: "/b" } },
    ],
    tcp: [{ match: [{ port: 1 }], route: [{ destination: { host: "a", port: { number: 2 } } }] }],
  }),
  object("DestinationRule", "networking", {
    host: "reviews",
    trafficPolicy: { loadBalancer: { simple: "RANDOM" }, tls: { mode: "SIMPLE" } },
    subsets: [{ name: "v1", labels: { version: "v1" } }],
  }),
  object("ServiceEntry", "networking", {
    hosts: ["a.example.com"],
    ports: [{ number: 443, name: "https", protocol: "TLS" }],
    resolution: "STATIC",
    endpoints: [{ address: "10.0.0.1", ports: { https: 444 } }],
  }),
  object("WorkloadEntry", "networking", { address: "10.0.0.1", ports: { http: 80 }, weight: 3 }),
  object("WorkloadGroup", "networking", {
    metadata: { labels: { app: "a" } },
    template: { ports: { http: 80 }, serviceAccount: "a" },
    probe: { periodSeconds: 5, httpGet: { port: 80, httpHeaders: [{ name: "a", value: "b" }] } },
  }),
  object("Gateway", "networking", {
    selector: { istio: "ingressgateway" },
    servers: [
      {
        port: { number: 80, name: "http", protocol: "HTTP" },
        hosts: ["./a.b"],
        tls: { httpsRedirect: true },
      },
      {
        port: { number: 443, name: "https", protocol: "HTTPS" },
        hosts: ["*"],
        tls: {
          mode: "SIMPLE",
          credentialName: "a",
          cipherSuites: ["AES128-SHA"],
          minProtocolVersion: "TLSV1_2",
        },
      },
    ],
  }),
  object("Sidecar", "networking", {
    workloadSelector: { labels: { app: "a" } },
    ingress: [
      { port: { number: 80, name: "a", protocol: "HTTP" }, defaultEndpoint: "127.0.0.1:8080" },
      {
        port: { number: 443, protocol: "HTTPS" },
        tls: { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" },
      },
    ],
    egress: [
      { port: { number: 81, protocol: "TCP" }, bind: "127.0.0.1", hosts: ["./*"] },
      { hosts: ["~/*"] },
    ],
    outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "a.b", port: { number: 1 } } },
  }),
  object("ProxyConfig", "networking", { selector: { matchLabels: { a: "b" } }, concurrency: 2 }),
  object("EnvoyFilter", "networking", {
    priority: 1,
    configPatches: [
      {
        applyTo: "HTTP_FILTER",
        match: { context: "GATEWAY", listener: { filterChain: { filter: { name: "a" } } } },
        patch: { operation: "INSERT_BEFORE", value: { name: "b", typed_config: { "@type": "a/b.C" } } },
      },
    ],
  }),
  {
    ...object("MeshConfig", "mesh", {
      trustDomain: "a.b",
      outboundTrafficPolicy: { mode: "ALLOW_ANY" },
      connectTimeout: "1s",
      defaultConfig: { concurrency: 2, drainDuration: "5s" },
      networks: {
        a: { endpoints: [{ fromCidr: "10.0.0.0/8" }], gateways: [{ address: "1.2.3.4", port: 1 }] },
      },
    }),
    apiVersion: "mesh.istio.io/v1alpha1",
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a" },
    type: "Opaque",
    stringData: { "tls.crt": CERTIFICATE.pem, "tls.key": CERTIFICATE.keyPem, "ca.crt": CERTIFICATE.pem },
  },
  object("PeerAuthentication", "security", {
    selector: { matchLabels: { app: "a" } },
    mtls: { mode: "STRICT" },
    portLevelMtls: { 80: { mode: "DISABLE" } },
  }),
  object("AuthorizationPolicy", "security", {
    action: "DENY",
    rules: [
      {
        from: [{ source: { namespaces: ["a"] } }],
        to: [{ operation: { ports: ["80"], paths: ["/a/*"] } }],
        when: [{ key: "source.ip", values: ["10.0.0.0/8"] }],
      },
    ],
  }),
];

const ODD_VALUES: readonly unknown[] = [
  null,
  undefined,
  "",
  " ",
  "*",
  "a".repeat(300),
  "\u0000",
  "💥",
  "__proto__",
  -1,
  0,
  0.5,
  2 ** 31,
  1e308,
  true,
  [],
  [[]],
  [null],
  {},
  { a: { b: 1 } },
  "1h",
  "(",
  "toString",
];

/** mulberry32: the same seed gives the same mutations. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function pick<T>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)];
}

/** The value with one thing changed somewhere inside: replaced, removed, renamed or doubled. */
function mutate(value: unknown, random: () => number): unknown {
  const replace = random() < 0.15;
  if (replace || typeof value !== "object" || value === null) return pick(ODD_VALUES, random);
  if (Array.isArray(value)) {
    const index = Math.floor(random() * value.length);
    if (random() < 0.1) return [...value, ...value];
    return value.map((item: unknown, at) => (at === index ? mutate(item, random) : item));
  }
  const entries = Object.entries(value);
  const index = Math.floor(random() * entries.length);
  const action = random();
  return Object.fromEntries(
    entries.flatMap(([key, item], at) => {
      if (at !== index) return [[key, item]];
      if (action < 0.1) return [];
      if (action < 0.2) return [[`${key}x`, item]];
      return [[key, mutate(item, random)]];
    }),
  );
}

test("the documents that are mutated are valid", () => {
  for (const input of VALID) assert.deepEqual(parseObject(input, OPTIONS).violations, []);
});

test("600 mutations of valid documents crash nothing, and each violation has its place", () => {
  let refused = 0;
  for (let seed = 1; seed <= 600; seed += 1) {
    const random = randomOf(seed);
    const input = mutate(pick(VALID, random), random);
    const { object: parsed, violations } = parseObject(input, OPTIONS);
    const errors = violations.filter(({ severity }) => severity === "error");
    assert.equal(parsed === undefined, errors.length > 0, `seed ${seed}`);
    for (const { path, message } of violations) {
      assert.ok(message.length > 0 && message.length < 400, `seed ${seed}: ${message}`);
      assert.match(
        path,
        /^$|^(apiVersion|kind|metadata|spec|status|type|data|stringData|immutable)/,
        `seed ${seed}`,
      );
      const wholeObject = typeof input !== "object" || input === null || Array.isArray(input);
      assert.equal(path === "", wholeObject, `seed ${seed}: ${message}`);
    }
    if (parsed === undefined) refused += 1;
    else
      assert.deepEqual(
        parseObject(parsed.written, OPTIONS).object,
        parsed,
        `seed ${seed}: does not re-apply`,
      );
  }
  assert.ok(refused > 200 && refused < 600, `${refused} refused`);
});

test("600 mutations of their text crash nothing, and each violation has its line", () => {
  const alphabet = "{}[]\",:-\n\t &*!|>%@`'#?aA0.~\\".split("");
  for (let seed = 1; seed <= 600; seed += 1) {
    const random = randomOf(seed);
    const characters = JSON.stringify(pick(VALID, random), undefined, 1).split("");
    for (let change = 0; change < 3; change += 1) {
      const at = Math.floor(random() * characters.length);
      characters.splice(at, Math.floor(random() * 3), pick(alphabet, random) ?? "");
    }
    const { objects, violations } = parseDocuments(characters.join(""), OPTIONS);
    assert.ok(objects.length <= 1, `seed ${seed}`);
    for (const { line } of violations) assert.ok(line > 0, `seed ${seed}`);
  }
});
