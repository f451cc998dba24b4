import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../harness/eventually.ts";
import { type At, type Call, entry, http, many, routes, rule, type WireCase } from "../wire-case.ts";
import type { WireRun } from "../wire-run.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";
const ASK: Call = { kind: "http", to: CALL };

const WARM_UP = "loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 2s, minimumPercent: 10 } }";

const three = (at: At): string => entry(SHOP, "80 HTTP", [at("a"), at("b"), at("c")]);
const policy = (spec: string): string => rule(SHOP, `trafficPolicy: { ${spec} }`);

/** Each caller is with its own application whenever it calls, and not all with the same. */
async function assertSticky(
  count: number,
  ask: (caller: number) => Promise<string | undefined>,
): Promise<void> {
  const first: (string | undefined)[] = [];
  for (let caller = 1; caller <= count; caller++) first.push(await ask(caller));
  assert.ok(!first.includes(undefined), first.join());
  assert.ok(new Set(first).size > 1, `all are with ${first[0]}`);
  for (const [index, app] of first.entries()) assert.equal(await ask(index + 1), app);
}

export const BALANCING_CASES: readonly WireCase[] = [
  {
    name: "ROUND_ROBIN: each in its turn",
    yaml: (at) => three(at) + policy("loadBalancer: { simple: ROUND_ROBIN }"),
    calls: [many(30, http(CALL, {}), { a: [10, 10], b: [10, 10], c: [10, 10] })],
  },
  ...["RANDOM", "LEAST_REQUEST"].map(
    (simple): WireCase => ({
      name: `${simple}: calls are spread`,
      yaml: (at) => three(at) + policy(`loadBalancer: { simple: ${simple} }`),
      calls: [many(90, http(CALL, {}), { a: [8, 60], b: [8, 60], c: [8, 60] })],
    }),
  ),
  {
    name: "endpoints get calls by their weights",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [
        { ...at("a"), weight: 9 },
        { ...at("b"), weight: 1 },
      ]),
    calls: [many(100, http(CALL, {}), { a: [70, 99], b: [1, 30] })],
  },
  {
    name: "consistentHash by query parameter",
    yaml: (at) => three(at) + policy("loadBalancer: { consistentHash: { httpQueryParameterName: user } }"),
    upstreams: [CALL],
    run: async (wire) =>
      assertSticky(16, async (caller) => (await wire.http(CALL, { path: `/?a=b&user=${caller}` })).echo?.app),
  },
  {
    name: "consistentHash by cookie, which who has none is given",
    yaml: (at) =>
      three(at) +
      policy(
        "loadBalancer: { consistentHash: { httpCookie: { name: stay, path: /, ttl: 60s }, maglev: { tableSize: 1021 } } }",
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const given = new Map<number, string>();
      await assertSticky(16, async (caller) => {
        const cookie = given.get(caller);
        const { headers, echo } = await wire.http(CALL, cookie === undefined ? {} : { headers: { cookie } });
        const [said = ""] = String(headers["set-cookie"] ?? "").split(";");
        if (cookie === undefined) given.set(caller, said);
        else assert.equal(said, "", "it has one already");
        return echo?.app;
      });
    },
  },
  {
    name: "consistentHash by cookie: it has the attributes that the rule gives it",
    yaml: (at) =>
      three(at) +
      policy(
        "loadBalancer: { consistentHash: { httpCookie: { name: stay, ttl: 60s, attributes: [{ name: SameSite, value: Strict }, { name: Secure, value: '' }] } } }",
      ),
    upstreams: [CALL],
    run: async (wire) => {
      const { headers } = await wire.http(CALL);
      const [, ...attributes] = String(headers["set-cookie"] ?? "").split("; ");
      for (const wanted of [/^SameSite=Strict$/, /^Secure(=.*)?$/, /^Max-Age=60$/])
        assert.ok(
          attributes.some((one) => wanted.test(one)),
          `${wanted} in ${attributes.join("; ")}`,
        );
    },
  },
  {
    name: "consistentHash by source address, for HTTP",
    yaml: (at) => three(at) + policy("loadBalancer: { consistentHash: { useSourceIp: true } }"),
    upstreams: [CALL],
    run: async (wire) =>
      assertSticky(16, async (caller) => (await wire.http(CALL, { source: 60 + caller })).echo?.app),
  },
  {
    name: "consistentHash by source address, for TCP",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta"), at("tb"), at("tc")]) +
      rule(DB, "trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true } } }"),
    upstreams: [`${DB}:9000`],
    run: async (wire) =>
      assertSticky(16, async (caller) => (await wire.tcp(`${DB}:9000`, { source: 60 + caller })).echo?.app),
  },
  {
    name: "warm-up: a new endpoint gets less than its share at first",
    yaml: (at) => entry(SHOP, "80 HTTP", [at("a")]) + policy(WARM_UP),
    upstreams: [CALL],
    run: async (wire) => {
      await wire.http(CALL);
      // The first one is new itself for that long.
      await delay(2_100);
      await wire.apply(entry(SHOP, "80 HTTP", [wire.apps.at("a"), wire.apps.at("b")]) + policy(WARM_UP));
      await eventually("b is called", async () => (await wire.http(CALL)).echo?.app === "b");
      const { a = 0, b = 0 } = await wire.tally(24, ASK);
      assert.ok(a + b === 24 && b <= 9, `b got ${b} of 24`);
    },
  },
];

const OUTLIERS =
  "outlierDetection: { consecutiveGatewayErrors: 2, interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100 }";
const IN_EU = { locality: "eu/west/1" } as const;

/** `a` in the caller's subzone, `b` in its zone, `c` in its region, `d` in another. */
const near = (at: At): string =>
  entry(SHOP, "80 HTTP", [
    { ...at("a"), locality: "eu/west/1" },
    { ...at("b"), locality: "eu/west/2" },
    { ...at("c"), locality: "eu/north/1" },
    { ...at("d"), locality: "us/east/1" },
  ]) +
  routes(
    SHOP,
    `http: [{ retries: { attempts: 2, retryOn: "connect-failure,503" }, route: [{ destination: { host: ${SHOP} } }] }]`,
  );

/** All calls go to one application, sooner or later: so many in a row are no chance. */
async function only(wire: WireRun, app: string): Promise<void> {
  await eventually(`only ${app} is called`, async () => (await wire.tally(20, ASK))[app] === 20);
}

export const LOCALITY_CASES: readonly WireCase[] = [
  {
    name: "without outlier detection localities do not matter",
    yaml: near,
    caller: IN_EU,
    calls: [many(80, http(CALL, {}), { a: [4, 60], b: [4, 60], c: [4, 60], d: [4, 60] })],
  },
  {
    name: "with it the nearest endpoints are called, and the next ones when they are gone",
    yaml: (at) => near(at) + policy(OUTLIERS),
    caller: IN_EU,
    calls: [many(12, http(CALL, {}), { a: [12, 12] })],
    run: async (wire) => {
      for (const [gone, next] of [
        ["a", "b"],
        ["b", "c"],
        ["c", "d"],
      ] as const) {
        await wire.apps.down(gone);
        await only(wire, next);
      }
    },
  },
  {
    name: "the nearest endpoints are called again when they are back",
    yaml: (at) => near(at) + policy(OUTLIERS.replace("30s", "2s")),
    caller: IN_EU,
    upstreams: [CALL],
    run: async (wire) => {
      await wire.apps.down("a");
      await only(wire, "b");
      await wire.apps.allUp();
      await only(wire, "a");
    },
  },
  {
    name: "failover names the region that is next",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [
        { ...at("a"), locality: "ap/south/1" },
        { ...at("b"), locality: "us/east/1" },
      ]) + policy(`${OUTLIERS}, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } }`),
    caller: IN_EU,
    calls: [many(12, http(CALL, {}), { b: [12, 12] })],
    run: async (wire) => {
      await wire.apps.down("b");
      await only(wire, "a");
    },
  },
  {
    name: "zoneAwareLbSetting: failover names the region that is next, as it does there",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [
        { ...at("a"), locality: "ap/south/1" },
        { ...at("b"), locality: "us/east/1" },
      ]) + policy(`${OUTLIERS}, loadBalancer: { zoneAwareLbSetting: { failover: [{ from: eu, to: us }] } }`),
    caller: IN_EU,
    calls: [many(12, http(CALL, {}), { b: [12, 12] })],
    run: async (wire) => {
      await wire.apps.down("b");
      await only(wire, "a");
    },
  },
  {
    name: "failoverPriority goes by the caller's labels, then by those that it names",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [
        { ...at("a"), labels: { version: "v2", rack: "r1" } },
        { ...at("b"), labels: { version: "v1", rack: "r2" } },
        { ...at("c"), labels: { version: "v1", rack: "r1" } },
        { ...at("d"), labels: { version: "v2", rack: "r2" } },
      ]) +
      routes(
        SHOP,
        `http: [{ retries: { attempts: 2, retryOn: "connect-failure,503" }, route: [{ destination: { host: ${SHOP} } }] }]`,
      ) +
      policy(`${OUTLIERS}, loadBalancer: { localityLbSetting: { failoverPriority: [version, rack=r1] } }`),
    caller: { labels: { app: "caller", version: "v1" } },
    calls: [many(12, http(CALL, {}), { c: [12, 12] })],
    run: async (wire) => {
      await wire.apps.down("c");
      await only(wire, "b");
    },
  },
  {
    name: "distribute shares calls out among localities, and gives those that it does not name none",
    yaml: (at) =>
      near(at) +
      policy(
        `loadBalancer: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "eu/west/*": 75, "us/*": 25 } }] } }`,
      ),
    caller: IN_EU,
    calls: [many(120, http(CALL, {}), { a: [15, 80], b: [15, 80], d: [8, 55] })],
  },
  {
    name: "distribute is not for callers of other localities",
    yaml: (at) =>
      near(at) +
      policy(`loadBalancer: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "us/*": 100 } }] } }`),
    caller: { locality: "ap/south/1" },
    calls: [many(80, http(CALL, {}), { a: [4, 60], b: [4, 60], c: [4, 60], d: [4, 60] })],
  },
  {
    name: "enabled: false turns it off",
    yaml: (at) => near(at) + policy(`${OUTLIERS}, loadBalancer: { localityLbSetting: { enabled: false } }`),
    caller: IN_EU,
    calls: [many(80, http(CALL, {}), { a: [4, 60], b: [4, 60], c: [4, 60], d: [4, 60] })],
  },
  ...[true, false].map(
    (remote): WireCase => ({
      name: remote
        ? "retryRemoteLocalities: after two tries in a locality the next one is tried"
        : "without retryRemoteLocalities all tries stay in a locality",
      yaml: (at) =>
        entry(SHOP, "80 HTTP", [
          { ...at("a"), locality: "eu/west/1" },
          { ...at("d"), locality: "us/east/1" },
        ]) +
        routes(
          SHOP,
          `http: [{ retries: { attempts: 2, retryOn: "503", retryRemoteLocalities: ${remote} }, route: [{ destination: { host: ${SHOP} } }] }]`,
        ) +
        policy("outlierDetection: { consecutiveGatewayErrors: 100, interval: 10s, baseEjectionTime: 10s }"),
      caller: IN_EU,
      calls: [
        http(CALL, remote ? { from: "d" } : { status: 503 }, {
          headers: { "x-fail": "503", "x-fail-at": "a" },
        }),
        many(5, http(CALL, {}), { a: [5, 5] }),
      ],
    }),
  ),
];
