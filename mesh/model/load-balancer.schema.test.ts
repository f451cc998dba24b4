import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type {
  ConsistentHash,
  DestinationRuleSpec,
  LoadBalancer,
  LocalityLoadBalancing,
} from "./destination-rule.ts";

const NO_BALANCER: LoadBalancer = {
  simple: undefined,
  consistentHash: undefined,
  locality: undefined,
  warmup: undefined,
};
const RING: ConsistentHash["algorithm"] = { kind: "ring", minimumRingSize: undefined };
const LOCALITY: LocalityLoadBalancing = { enabled: true, distribute: [], failover: [], failoverPriority: [] };
const OUTLIERS = { consecutive5xxErrors: 1 };

/** A rule with a subset for each balancer, each with a way to find out who fails. */
function balanced(loadBalancers: readonly object[]): object {
  return {
    host: "a",
    subsets: loadBalancers.map((loadBalancer, index) => ({
      name: `s${index}`,
      trafficPolicy: { loadBalancer, outlierDetection: OUTLIERS },
    })),
  };
}

const outlierDetection = {
  consecutive5xxErrors: 1,
  consecutiveGatewayErrors: undefined,
  splitExternalLocalOriginErrors: false,
  consecutiveLocalOriginFailures: undefined,
  httpErrorCodes: [],
  intervalMs: undefined,
  baseEjectionTimeMs: undefined,
  maxEjectionPercent: undefined,
  minHealthPercent: undefined,
};

/** What `balanced` is parsed into. */
function parsed(loadBalancers: readonly Partial<LoadBalancer>[]): Partial<DestinationRuleSpec> {
  return {
    subsets: loadBalancers.map((loadBalancer, index) => ({
      name: `s${index}`,
      labels: {},
      trafficPolicy: {
        loadBalancer: { ...NO_BALANCER, ...loadBalancer },
        connectionPool: undefined,
        outlierDetection,
        tls: undefined,
        portLevelSettings: [],
        tunnel: undefined,
        proxyProtocol: undefined,
        retryBudget: undefined,
      },
    })),
  };
}

function hashed(key: ConsistentHash["key"], algorithm = RING): Partial<LoadBalancer> {
  return { consistentHash: { key, algorithm } };
}

const good: readonly GoodCase<"DestinationRule">[] = [
  {
    name: "simple balancers",
    spec: balanced(
      ["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "UNSPECIFIED"].map(
        (simple) => ({
          simple,
        }),
      ),
    ),
    want: parsed([
      { simple: "ROUND_ROBIN" },
      { simple: "LEAST_REQUEST" },
      { simple: "LEAST_REQUEST" },
      { simple: "RANDOM" },
      { simple: "PASSTHROUGH" },
      {},
    ]),
  },
  {
    name: "consistent hashes by each key",
    spec: balanced(
      [
        { httpHeaderName: "x-user" },
        { useSourceIp: true },
        { httpQueryParameterName: "user" },
        { httpCookie: { name: "user" } },
        {
          httpCookie: {
            name: "user",
            path: "/a",
            ttl: "0s",
            attributes: [{ name: "SameSite", value: "Strict" }, { name: "Secure" }],
          },
        },
      ].map((consistentHash) => ({ consistentHash })),
    ),
    want: parsed([
      hashed({ kind: "header", name: "x-user" }),
      hashed({ kind: "source-ip" }),
      hashed({ kind: "query", name: "user" }),
      hashed({ kind: "cookie", name: "user", path: "", ttlMs: undefined, attributes: [] }),
      hashed({
        kind: "cookie",
        name: "user",
        path: "/a",
        ttlMs: 0,
        attributes: [
          { name: "SameSite", value: "Strict" },
          { name: "Secure", value: "" },
        ],
      }),
    ]),
  },
  {
    name: "consistent hashes by each algorithm",
    spec: balanced(
      [
        { ringHash: {} },
        { ringHash: { minimumRingSize: 2048 } },
        { ringHash: { minimumRingSize: 0 } },
        { maglev: { tableSize: 65537 } },
      ].map((algorithm) => ({ consistentHash: { useSourceIp: true, ...algorithm } })),
    ),
    want: parsed(
      [
        RING,
        { kind: "ring", minimumRingSize: 2048 } as const,
        RING,
        { kind: "maglev", tableSize: 65537 } as const,
      ].map((algorithm) => hashed({ kind: "source-ip" }, algorithm)),
    ),
  },
  {
    name: "the old size of a ring, and no key at all",
    spec: balanced([
      { consistentHash: { useSourceIp: true, minimumRingSize: 4096 } },
      { consistentHash: {} },
      { consistentHash: { useSourceIp: false } },
    ]),
    want: parsed([
      hashed({ kind: "source-ip" }, { kind: "ring", minimumRingSize: 4096 }),
      { simple: "RANDOM" },
      { simple: "RANDOM" },
    ]),
    warnings: [
      ["spec.subsets[0].trafficPolicy.loadBalancer.consistentHash.minimumRingSize", "is deprecated"],
      ["spec.subsets[1].trafficPolicy.loadBalancer.consistentHash", "at random"],
      ["spec.subsets[2].trafficPolicy.loadBalancer.consistentHash", "at random"],
    ],
  },
  {
    name: "localities that share, that fail over and that do not matter",
    spec: balanced(
      [
        {
          distribute: [
            { from: "eu/a/*", to: { "eu/a/*": 80, "eu/b/*": 20 } },
            { from: "eu/*", to: { "*": 100 } },
            { from: "*", to: { us: 100 } },
          ],
        },
        { failover: [{ from: "eu", to: "us" }], failoverPriority: ["app", "version=v1"] },
        { failoverPriority: ["topology.kubernetes.io/region"] },
        { enabled: false },
      ].map((localityLbSetting) => ({ localityLbSetting })),
    ),
    want: parsed([
      {
        locality: {
          ...LOCALITY,
          distribute: [
            { from: "eu/a/*", to: { "eu/a/*": 80, "eu/b/*": 20 } },
            { from: "eu/*", to: { "*": 100 } },
            { from: "*", to: { us: 100 } },
          ],
        },
      },
      {
        locality: {
          ...LOCALITY,
          failover: [{ from: "eu", to: "us" }],
          failoverPriority: ["app", "version=v1"],
        },
      },
      { locality: { ...LOCALITY, failoverPriority: ["topology.kubernetes.io/region"] } },
      { locality: { ...LOCALITY, enabled: false } },
    ]),
  },
  {
    name: "zones, as far as localities say the same",
    spec: balanced([
      { zoneAwareLbSetting: { enabled: true, failover: [{ from: "eu", to: "us" }], minClusterSize: 6 } },
      { zoneAwareLbSetting: { failoverPriority: ["app"] } },
    ]),
    want: parsed([
      { locality: { ...LOCALITY, failover: [{ from: "eu", to: "us" }] } },
      { locality: { ...LOCALITY, failoverPriority: ["app"] } },
    ]),
    warnings: [
      ["spec.subsets[0].trafficPolicy.loadBalancer.zoneAwareLbSetting.minClusterSize", "not in force yet"],
    ],
  },
  {
    name: "a failover from what is never found to fail",
    spec: {
      host: "a",
      trafficPolicy: {
        loadBalancer: { localityLbSetting: { failover: [{ from: "eu", to: "us" }] } },
        portLevelSettings: [
          { port: { number: 1 }, loadBalancer: { zoneAwareLbSetting: { failoverPriority: ["app"] } } },
        ],
      },
    },
    warnings: [
      ["spec.trafficPolicy.loadBalancer.localityLbSetting", "without outlierDetection"],
      ["spec.trafficPolicy.portLevelSettings[0].loadBalancer.zoneAwareLbSetting", "without outlierDetection"],
    ],
  },
  {
    name: "warming up, and its old form",
    spec: balanced([
      { simple: "ROUND_ROBIN", warmup: { duration: "5m", minimumPercent: 0, aggression: 0.5 } },
      { warmupDurationSecs: "60s" },
    ]),
    want: parsed([
      { simple: "ROUND_ROBIN", warmup: { durationMs: 300_000, minimumPercent: 0, aggression: 0.5 } },
      { warmup: { durationMs: 60_000, minimumPercent: undefined, aggression: undefined } },
    ]),
  },
  {
    name: "warming up with balancers that cannot",
    spec: balanced([
      { simple: "RANDOM", warmup: { duration: "1s" } },
      { consistentHash: { useSourceIp: true }, warmupDurationSecs: "1s" },
    ]),
    warnings: [
      ["spec.subsets[0].trafficPolicy.loadBalancer.warmup", "no effect with RANDOM"],
      ["spec.subsets[1].trafficPolicy.loadBalancer.warmupDurationSecs", "no effect with consistentHash"],
    ],
  },
];

/** Errors below each subset's balancer. */
function below(
  problems: readonly (readonly [index: number, path: string, message: string])[],
): BadCase["errors"] {
  return problems.map(([index, path, message]) => [
    `spec.subsets[${index}].trafficPolicy.loadBalancer${path}`,
    message,
  ]);
}

const bad: readonly BadCase[] = [
  {
    name: "balancers of two kinds, and an unknown one",
    spec: balanced([
      { simple: "RANDOM", consistentHash: { useSourceIp: true } },
      { simple: "LEAST_REQUESTS" },
      { localityLbSetting: {}, zoneAwareLbSetting: {} },
      { warmup: { duration: "1s" }, warmupDurationSecs: "1s" },
    ]),
    errors: below([
      [0, "", "only one of simple and consistentHash"],
      [1, ".simple", "did you mean `LEAST_REQUEST`?"],
      [2, "", "only one of localityLbSetting and zoneAwareLbSetting"],
      [3, "", "only one of warmup and warmupDurationSecs"],
    ]),
  },
  {
    name: "hashes of two keys or algorithms, and with names or sizes that are none",
    spec: balanced(
      [
        { useSourceIp: true, httpHeaderName: "a" },
        { useSourceIp: true, ringHash: {}, maglev: { tableSize: 3 } },
        { useSourceIp: true, minimumRingSize: 1, ringHash: {} },
        { httpHeaderName: "" },
        { httpCookie: { ttl: "-1s", attributes: [{ name: "a" }, { name: "a" }, { name: "" }] } },
        { useSourceIp: true, maglev: {} },
        { useSourceIp: true, maglev: { tableSize: 9 } },
        { useSourceIp: true, maglev: { tableSize: 5_000_011 } },
        { useSourceIp: true, ringHash: { minimumRingSize: 2 ** 24 } },
      ].map((consistentHash) => ({ consistentHash })),
    ),
    errors: below([
      [0, ".consistentHash", "only one key"],
      [1, ".consistentHash", "only one of ringHash and maglev"],
      [2, ".consistentHash.minimumRingSize", "together with ringHash or maglev"],
      [3, ".consistentHash.httpHeaderName", "must not be empty"],
      [4, ".consistentHash.httpCookie.name", "is required"],
      [4, ".consistentHash.httpCookie.ttl", "negative"],
      [4, ".consistentHash.httpCookie.attributes[2].name", "must not be empty"],
      [5, ".consistentHash.maglev.tableSize", "is required"],
      [6, ".consistentHash.maglev.tableSize", "prime"],
      [7, ".consistentHash.maglev.tableSize", "at most 5000010"],
      [8, ".consistentHash.ringHash.minimumRingSize", "at most 8388608"],
    ]),
  },
  {
    name: "a cookie's attribute twice",
    spec: balanced([
      { consistentHash: { httpCookie: { name: "a", attributes: [{ name: "b" }, { name: "b" }] } } },
    ]),
    errors: below([[0, ".consistentHash.httpCookie.attributes[1].name", "a second time"]]),
  },
  {
    name: "shares that do not add up, overlap or are of nowhere",
    spec: balanced(
      [
        [{ from: "eu", to: { "eu/a": 80, "eu/b": 19 } }],
        [{ from: "eu", to: { eu: 0, us: 101 } }],
        [{ from: "eu", to: {} }],
        [{ from: "eu", to: { "eu/a/*": 50, "eu/a/1": 50 } }],
        [{ from: "eu", to: { "eu/a": 50, eu: 50 } }],
        [{ from: "eu", to: { "eu//1": 100 } }],
        [
          { from: "eu", to: { eu: 100 } },
          { from: "eu/a", to: { eu: 100 } },
        ],
        [
          { from: "*", to: { eu: 100 } },
          { from: "eu", to: { eu: 100 } },
        ],
        [{ from: "e*/a", to: { eu: 100 } }],
        [{ to: { eu: 100 } }],
      ].map((distribute) => ({ localityLbSetting: { distribute } })),
    ),
    errors: below([
      [0, ".localityLbSetting.distribute[0].to", "add up to 100, not to 99"],
      [1, ".localityLbSetting.distribute[0].to.eu", "from 1 to 100"],
      [1, ".localityLbSetting.distribute[0].to.us", "from 1 to 100"],
      [2, ".localityLbSetting.distribute[0].to", "add up to 100, not to 0"],
      [3, '.localityLbSetting.distribute[0].to["eu/a/1"]', 'overlaps with "eu/a/*"'],
      [4, '.localityLbSetting.distribute[0].to["eu/a"]', 'overlaps with "eu"'],
      [5, '.localityLbSetting.distribute[0].to["eu//1"]', "empty region"],
      [6, ".localityLbSetting.distribute[1].from", 'overlaps with "eu"'],
      [7, ".localityLbSetting.distribute[1].from", 'overlaps with "*"'],
      [8, ".localityLbSetting.distribute[0].from", "wildcard but at its end"],
      [9, ".localityLbSetting.distribute[0].from", "empty region"],
    ]),
  },
  {
    name: "failovers to the same, to more than a region, and beside what contradicts them",
    spec: balanced([
      { localityLbSetting: { failover: [{ from: "eu", to: "eu" }] } },
      { localityLbSetting: { failover: [{ from: "eu/a", to: "u*" }] } },
      {
        localityLbSetting: {
          distribute: [{ from: "eu", to: { eu: 100 } }],
          failover: [{ from: "eu", to: "us" }],
        },
      },
      {
        localityLbSetting: {
          failover: [{ from: "eu", to: "us" }],
          failoverPriority: ["app", "topology.kubernetes.io/zone"],
        },
      },
      { zoneAwareLbSetting: { failoverPriority: ["topology.istio.io/subzone"], minClusterSize: 0 } },
      { zoneAwareLbSetting: { failover: [{ from: "eu", to: "us/a" }], enabled: "no" } },
    ]),
    errors: below([
      [0, ".localityLbSetting.failover[0].to", "another region"],
      [1, ".localityLbSetting.failover[0].from", "a region alone"],
      [1, ".localityLbSetting.failover[0].to", "wildcard"],
      [2, ".localityLbSetting.failover", "together with distribute"],
      [3, ".localityLbSetting.failoverPriority[1]", "together with failover"],
      [4, ".zoneAwareLbSetting.failoverPriority[0]", "is followed anyway"],
      [4, ".zoneAwareLbSetting.minClusterSize", "at least 1"],
      [5, ".zoneAwareLbSetting.failover[0].to", "a region alone"],
      [5, ".zoneAwareLbSetting.enabled", "true or false"],
    ]),
  },
  {
    name: "warming up for no time or by numbers that are none",
    spec: balanced([
      { warmup: {} },
      { warmup: { duration: "0s", minimumPercent: 150, aggression: 0 } },
      { warmupDurationSecs: 60 },
    ]),
    errors: below([
      [0, ".warmup.duration", "is required"],
      [1, ".warmup.duration", "at least 1ms"],
      [1, ".warmup.minimumPercent", "at most 100"],
      [1, ".warmup.aggression", "above 0"],
      [2, ".warmupDurationSecs", "like 60s"],
    ]),
  },
];

testKind("DestinationRule", "networking.istio.io/v1", { good, bad });
