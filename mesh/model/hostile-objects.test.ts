import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind } from "./object.ts";
import { parseObject } from "./parse-object.ts";

const LONG = 10_000_000;
/** Far above what each of them takes, far below what the square of their size would take. */
const SECONDS = 20;

const ROUTE = [{ destination: { host: "a" } }];

function routed(http: object): object {
  return { hosts: ["a"], http: [{ route: ROUTE, ...http }] };
}

function matched(match: readonly object[]): object {
  return routed({ match });
}

function patterns(count: number, pattern: (index: number) => string): object {
  return matched(Array.from({ length: count }, (_, index) => ({ uri: { regex: pattern(index) } })));
}

function balanced(loadBalancer: object): object {
  return { host: "a", trafficPolicy: { loadBalancer } };
}

interface Hostile {
  readonly name: string;
  readonly kind?: Kind;
  readonly spec: unknown;
  /** Path and part of the message of the first error; undefined: it is accepted. */
  readonly refused?: readonly [path: string, message: string];
}

const cases: readonly Hostile[] = [
  {
    name: "a host of ten million characters",
    spec: { ...routed({}), hosts: ["a".repeat(LONG)] },
    refused: ["spec.hosts[0]", "is not a host name"],
  },
  {
    name: "a host of five million labels",
    spec: { ...routed({}), hosts: ["a.".repeat(LONG / 2)] },
    refused: ["spec.hosts[0]", "is not a host name"],
  },
  {
    name: "a header of ten million characters",
    spec: routed({ headers: { request: { set: { a: "%A(".repeat(LONG / 2) } } } }),
    refused: ["spec.http[0].headers.request.set.a", "longer than 16384 bytes"],
  },
  {
    name: "the longest header, of variables that never end",
    spec: routed({ headers: { request: { set: { a: `%A(["a"${', "a"'.repeat(3000)}` } } } }),
    refused: ["spec.http[0].headers.request.set.a", "begins no"],
  },
  {
    name: "a header's name of ten million characters",
    spec: routed({ headers: { request: { remove: ["a".repeat(LONG)] } } }),
    refused: ["spec.http[0].headers.request.remove[0]", "is not a header name"],
  },
  {
    name: "a time-out of ten million digits",
    spec: routed({ timeout: "1h".repeat(LONG / 2) }),
    refused: ["spec.http[0].timeout", "is not a duration"],
  },
  {
    name: "two million conditions of a retry",
    spec: routed({ retries: { attempts: 1, retryOn: `${"5xx,".repeat(LONG / 4)}x` } }),
    refused: ["spec.http[0].retries.retryOn", "is not a retry condition"],
  },
  {
    name: "a body of ten million characters",
    spec: { hosts: ["a"], http: [{ directResponse: { status: 200, body: { bytes: "a".repeat(LONG) } } }] },
    refused: ["spec.http[0].directResponse.body", "1 MiB"],
  },
  {
    name: "a replacement of ten million characters",
    spec: routed({ rewrite: { uriRegexRewrite: { match: "(a)", rewrite: "\\1".repeat(LONG / 2) } } }),
    refused: ["spec.http[0].rewrite.uriRegexRewrite.rewrite", "longer than"],
  },
  {
    name: "a pattern of ten million characters",
    spec: matched([{ uri: { regex: "(".repeat(LONG) } }]),
    refused: ["spec.http[0].match[0].uri.regex", "longer than 1024 characters"],
  },
  {
    name: "a pattern that unfolds to a million instructions",
    spec: matched([{ uri: { regex: "((a{100}){100}){100}" } }]),
    refused: ["spec.http[0].match[0].uri.regex", "too large"],
  },
  {
    name: "a thousand patterns that each unfold",
    spec: patterns(1000, (index) => `${"(a{999})".repeat(9)}${index}`),
    refused: ["spec", "too large together"],
  },
  {
    name: "a thousand patterns that are each too large",
    spec: patterns(1000, (index) => `${"(((a{10}){10}){10})".repeat(40)}${index}`),
    refused: ["spec.http[0].match[0].uri.regex", "too large"],
  },
  {
    name: "classes of Unicode",
    spec: patterns(300, (index) => `(?i)${"\\pL".repeat(330)}${index}`),
    refused: ["spec.http[0].match[0].uri.regex", "too large"],
  },
  {
    name: "groups within groups",
    spec: matched([{ uri: { regex: `${"(".repeat(500)}a${")".repeat(500)}` } }]),
  },
  {
    name: "what makes other engines go back and forth",
    spec: matched([{ uri: { regex: "(x+x+)+y" } }, { uri: { regex: "(a|aa)+$" } }]),
  },
  {
    name: "a look-ahead",
    spec: matched([{ uri: { regex: "a(?=b)" } }]),
    refused: ["spec.http[0].match[0].uri.regex", "RE2"],
  },
  {
    name: "ninety thousand hosts, half of them wildcards",
    spec: {
      ...routed({}),
      hosts: Array.from(
        { length: 90_000 },
        (_, index) => `${index % 2 === 0 ? "*." : ""}h${index}.example.com`,
      ),
    },
  },
  {
    name: "as many server names as hosts",
    spec: {
      hosts: Array.from({ length: 60_000 }, (_, index) => `*.h${index}.com`),
      tls: [
        {
          match: [{ sniHosts: Array.from({ length: 60_001 }, (_, index) => `a.h${index}.com`) }],
          route: ROUTE,
        },
      ],
    },
    refused: ["spec.tls[0].match[0].sniHosts[60000]", "not covered"],
  },
  {
    name: "fifty thousand routes that are all wrong",
    spec: { hosts: ["a"], http: Array.from({ length: 50_000 }, () => ({ route: null })) },
    refused: ["spec.http[0].route", "must not be null"],
  },
  {
    name: "a hundred thousand unknown fields",
    spec: {
      ...routed({}),
      ...Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`http${index}`, 1])),
    },
  },
  {
    name: "thirty thousand shares of localities",
    kind: "DestinationRule",
    spec: balanced({
      localityLbSetting: {
        distribute: Array.from({ length: 30_000 }, (_, index) => ({
          from: `r${index}`,
          to: { [`t${index}`]: 100 },
        })),
      },
    }),
  },
  {
    name: "one locality that goes to ninety thousand",
    kind: "DestinationRule",
    spec: balanced({
      localityLbSetting: {
        distribute: [
          {
            from: "a",
            to: Object.fromEntries(Array.from({ length: 90_000 }, (_, index) => [`t${index}`, 1])),
          },
        ],
      },
    }),
    refused: ["spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to", "add up to 100"],
  },
  {
    name: "ninety thousand settings of one port",
    kind: "DestinationRule",
    spec: {
      host: "a",
      trafficPolicy: { portLevelSettings: Array.from({ length: 60_000 }, () => ({ port: { number: 1 } })) },
    },
    refused: ["spec.trafficPolicy.portLevelSettings", "at most 4096 entries"],
  },
  {
    name: "a table whose size is a large prime",
    kind: "DestinationRule",
    spec: balanced({ consistentHash: { useSourceIp: true, maglev: { tableSize: 4_999_999 } } }),
  },
  {
    name: "a table whose size nobody could test",
    kind: "DestinationRule",
    spec: balanced({ consistentHash: { useSourceIp: true, maglev: { tableSize: Number.MAX_SAFE_INTEGER } } }),
    refused: ["spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize", "at most 5000010"],
  },
  {
    name: "an address of ten million characters",
    kind: "WorkloadEntry",
    spec: { address: `unix:///${"a".repeat(LONG)}` },
    refused: ["spec.address", "is not an IP address"],
  },
  {
    name: "ninety thousand ports of an endpoint that no port has",
    kind: "ServiceEntry",
    spec: {
      hosts: ["a.example.com"],
      resolution: "STATIC",
      endpoints: [
        {
          address: "10.0.0.1",
          ports: Object.fromEntries(Array.from({ length: 90_000 }, (_, index) => [`p${index}`, 1])),
        },
      ],
    },
    refused: ["spec.endpoints[0].ports.p0", "is not a port of this ServiceEntry"],
  },
  ...["toString", "hasOwnProperty", "valueOf"].map((name) => ({
    name: `the name ${name}, which every object has`,
    spec: matched([{ headers: { [name]: { exact: "a" } } }]),
  })),
  {
    name: "a condition and a protocol that every object has",
    kind: "ServiceEntry",
    spec: { hosts: ["a.com"], ports: [{ number: 1, name: "a", protocol: "constructor" }] },
    refused: ["spec.ports[0].protocol", "is not a protocol"],
  },
  {
    name: "a prototype among the labels",
    spec: JSON.parse('{"hosts":["a"],"http":[{"match":[{"sourceLabels":{"__proto__":"a"}}]}]}'),
    refused: ["spec.http[0].match[0].sourceLabels.__proto__", "is a key that is not accepted"],
  },
];

for (const { name, kind = "VirtualService", spec, refused } of cases) {
  test(`${refused === undefined ? "taken" : "refused"} in good time: ${name}`, () => {
    const input = { apiVersion: "networking.istio.io/v1", kind, metadata: { name: "a" }, spec };
    const started = performance.now();
    const { object, violations } = parseObject(input, { defaultNamespace: "default" });
    assert.ok(performance.now() - started < SECONDS * 1000);
    assert.ok(violations.length <= 101, `${violations.length} violations`);
    for (const { path, message } of violations) assert.ok(path.length + message.length < 1000, path);
    const first = violations.find(({ severity }) => severity === "error");
    assert.equal(object === undefined, refused !== undefined, JSON.stringify(first));
    assert.equal(first?.path, refused?.[0]);
    assert.ok(first === undefined || first.message.includes(refused?.[1] ?? ""), first?.message);
  });
}

test("nothing that was read reaches the prototype of all objects", () => {
  assert.deepEqual(Object.keys(Object.prototype), []);
});
