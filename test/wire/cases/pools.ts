import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../harness/eventually.ts";
import type { Place } from "../wire-apps.ts";
import { type At, entry, http, many, routes, rule, tcp, type WireCase } from "../wire-case.ts";
import type { WireRun } from "../wire-run.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const DB = "db.test";

const policy = (spec: string): string => rule(SHOP, `trafficPolicy: { ${spec} }`);
const NO_RETRIES = routes(
  SHOP,
  `http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${SHOP} } }] }]`,
);
const one = (at: At): string => entry(SHOP, "80 HTTP", [at("a")]) + NO_RETRIES;
const two = (at: At): string => entry(SHOP, "80 HTTP", [at("a"), at("b")]) + NO_RETRIES;

/** Whether calls one after the other, with pauses, came on the connections of these numbers, counted from the first. */
async function connections(wire: WireRun, want: readonly number[], pauseMs = 0): Promise<void> {
  const seen: number[] = [];
  for (const _ of want) {
    if (seen.length > 0) await delay(pauseMs);
    seen.push((await wire.http(CALL)).echo?.connection ?? 0);
  }
  assert.deepEqual(
    seen.map((number) => number - (seen[0] ?? 0)),
    want,
  );
}

/** How many of calls that are there at once came through; the others are refused at once. */
async function passed(wire: WireRun, times: number): Promise<number> {
  const taken = wire.apps.taken("a");
  const slow = { headers: { "x-delay": "600" } };
  // Envoy counts a request as one that waits until its connection is there.
  const first = wire.http(CALL, slow);
  await eventually("the first is served", () => wire.apps.taken("a") > taken);
  const answers = [...(await wire.atOnce(times - 1, CALL, slow)), await first];
  const through = answers.filter(({ status }) => status === 200).length;
  assert.equal(answers.filter(({ status }) => status === 503).length, times - through);
  return through;
}

/**
 * In how many seconds the kernel will ask on a connection to a place, by proc_pid_net(5) `tcp`; undefined: it will not. A
 * timer of kind 2 is that of keep-alive.
 */
async function keepAliveSeconds({ address, port }: Place): Promise<number | undefined> {
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  const remote = `${bytes.toReversed().join("")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
  const table = await readFile("/proc/self/net/tcp", "utf8");
  const lines = table.split("\n").map((line) => line.trim().split(/\s+/));
  const timers = lines.flatMap(([, , to, state, , timer = ""]) =>
    to === remote && state === "01" ? [timer.split(":")] : [],
  );
  const running = timers.find(([kind]) => kind === "02");
  return running && Number.parseInt(running[1] ?? "", 16) / 100;
}

const RETRIED = routes(
  SHOP,
  `http: [{ retries: { attempts: 1, retryOn: "503" }, route: [{ destination: { host: ${SHOP} } }] }]`,
);

/** How many of calls that are there at once, whose first tries fail, had a second one, which takes its time. */
async function retried(wire: WireRun, times: number): Promise<number> {
  const answers = await wire.atOnce(times, CALL, { headers: { "x-fail": "503", "x-delay": "500" } });
  return answers.filter(({ status }) => status === 200).length;
}

export const POOL_CASES: readonly WireCase[] = [
  {
    name: "connections are used again",
    yaml: one,
    upstreams: [CALL],
    run: async (wire) => connections(wire, [0, 0, 0]),
  },
  {
    name: "maxRequestsPerConnection: a connection is given up after so many",
    yaml: (at) => one(at) + policy("connectionPool: { http: { maxRequestsPerConnection: 2 } }"),
    upstreams: [CALL],
    run: async (wire) => connections(wire, [0, 0, 1, 1, 2]),
  },
  {
    name: "http.idleTimeout: an idle connection is closed",
    yaml: (at) => one(at) + policy("connectionPool: { http: { idleTimeout: 0.2s } }"),
    upstreams: [CALL],
    run: async (wire) => connections(wire, [0, 1], 500),
  },
  {
    name: "maxConnectionDuration: an old connection is closed",
    yaml: (at) => one(at) + policy("connectionPool: { tcp: { maxConnectionDuration: 0.5s } }"),
    upstreams: [CALL],
    run: async (wire) => connections(wire, [0, 1], 700),
  },
  {
    name: "maxConnections and http1MaxPendingRequests: one is served, one waits, the others are refused",
    yaml: (at) =>
      one(at) +
      policy("connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }"),
    upstreams: [CALL],
    run: async (wire) => assert.equal(await passed(wire, 6), 2),
  },
  {
    name: "a port's pool is for that port alone, and takes the place of the whole",
    yaml: (at) =>
      entry(SHOP, "80 HTTP, 81 HTTP", [at("a")]) +
      NO_RETRIES +
      policy(
        "connectionPool: { http: { http2MaxRequests: 2 } }, portLevelSettings: [{ port: { number: 80 }, connectionPool: { http: { http1MaxPendingRequests: 1024 } } }]",
      ),
    upstreams: [CALL, `${SHOP}:81`],
    run: async (wire) => {
      assert.equal(await passed(wire, 6), 6);
      const slow = { headers: { "x-delay": "600" } };
      const answers = await wire.atOnce(6, `${SHOP}:81`, slow);
      assert.equal(answers.filter(({ status }) => status === 503).length, 4);
    },
  },
  {
    name: "http2MaxRequests: more requests than that are refused",
    yaml: (at) => one(at) + policy("connectionPool: { http: { http2MaxRequests: 3 } }"),
    upstreams: [CALL],
    run: async (wire) => assert.equal(await passed(wire, 6), 3),
  },
  {
    name: "maxConnections holds for TCP",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta")]) +
      rule(DB, "trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }"),
    upstreams: [`${DB}:9000`],
    run: async (wire) => {
      const held = await wire.open(`${DB}:9000`);
      assert.equal((await wire.tcp(`${DB}:9000`)).echo, undefined);
      held.destroy();
      await eventually("a place is free", async () => (await wire.tcp(`${DB}:9000`)).echo?.app === "ta");
    },
  },
  {
    name: "tcp.idleTimeout: a TCP connection without bytes is closed",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta")]) +
      rule(DB, "trafficPolicy: { connectionPool: { tcp: { idleTimeout: 0.3s } } }"),
    upstreams: [`${DB}:9000`],
    run: async (wire) => {
      const held = await wire.open(`${DB}:9000`);
      await eventually("the proxy closes it", () => held.closed, 2_000);
    },
  },
  {
    name: "maxConnectionDuration holds for TCP, whatever a connection does",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta")]) +
      rule(DB, "trafficPolicy: { connectionPool: { tcp: { maxConnectionDuration: 0.4s } } }"),
    upstreams: [`${DB}:9000`],
    run: async (wire) => {
      const held = await wire.open(`${DB}:9000`);
      const busy = setInterval(() => held.write("more\n"), 50);
      try {
        await eventually("the proxy closes it", () => held.closed, 2_000);
      } finally {
        clearInterval(busy);
      }
    },
  },
  {
    name: "tcpKeepalive: the kernel asks whether a silent server is still there, after the time that it says",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta")]) +
      entry("other.test", "9000 TCP", [at("tb")]) +
      rule(
        DB,
        "trafficPolicy: { connectionPool: { tcp: { tcpKeepalive: { time: 200s, interval: 30s, probes: 4 } } } }",
      ),
    upstreams: [`${DB}:9000`, "other.test:9000"],
    run: async (wire) => {
      for (const [to, app, wanted] of [
        [`${DB}:9000`, "ta", true],
        ["other.test:9000", "tb", false],
      ] as const) {
        const held = await wire.open(to);
        const timer = await keepAliveSeconds(wire.apps.at(app));
        held.destroy();
        if (wanted) assert.ok(timer !== undefined && timer > 150 && timer <= 200, `${to}: ${timer} s`);
        else assert.equal(timer, undefined, to);
      }
    },
  },
  {
    name: "connectTimeout: a server that does not answer is given up",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("silent")]) +
      NO_RETRIES +
      policy("connectionPool: { tcp: { connectTimeout: 0.3s } }, tls: { mode: SIMPLE }"),
    calls: [http(CALL, { status: 503, tookMs: [280, 2_000] })],
  },
  {
    name: "h2UpgradePolicy: calls go on as HTTP/2",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("h2")]) + policy("connectionPool: { http: { h2UpgradePolicy: UPGRADE } }"),
    calls: [http(CALL, { from: "h2", echo: { http: "2.0" } })],
  },
  {
    name: "a port that speaks HTTP/2 is called so",
    yaml: (at) => entry(SHOP, "80 HTTP2", [at("h2")]),
    calls: [http(CALL, { from: "h2", echo: { http: "2.0" } })],
  },
  {
    name: "useClientProtocol: calls go on as they came",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("h2")]) +
      entry("one.test", "80 HTTP", [at("a")]) +
      [SHOP, "one.test"]
        .map((host) => rule(host, "trafficPolicy: { connectionPool: { http: { useClientProtocol: true } } }"))
        .join(""),
    calls: [
      http(CALL, { from: "h2", echo: { http: "2.0" } }, { http2: true }),
      http("one.test:80", { from: "a", echo: { http: "1.1" } }),
    ],
  },
  {
    name: "maxRetries: no more retries at once",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) + RETRIED + policy("connectionPool: { http: { maxRetries: 3 } }"),
    upstreams: [CALL],
    run: async (wire) => assert.equal(await retried(wire, 8), 3),
  },
  {
    name: "retryBudget: no more retries at once than it allows",
    yaml: (at) =>
      entry(SHOP, "80 HTTP", [at("a")]) +
      RETRIED +
      policy("retryBudget: { percent: 0.1, minRetryConcurrency: 2 }"),
    upstreams: [CALL],
    run: async (wire) => assert.equal(await retried(wire, 8), 2),
  },
  ...(
    [
      ["what was asked within it counts, too", "budgetInterval: 10s", 5],
      ["without it only what is asked now", "budgetInterval: 0s", 1],
    ] as const
  ).map(
    ([name, interval, want]): WireCase => ({
      name: `budgetInterval: ${name}`,
      yaml: (at) =>
        entry(SHOP, "80 HTTP", [at("a")]) +
        RETRIED +
        policy(`retryBudget: { percent: 20, minRetryConcurrency: 1, ${interval} }`),
      upstreams: [CALL],
      run: async (wire) => {
        await wire.tally(20, { kind: "http", to: CALL });
        assert.equal(await retried(wire, 8), want);
      },
    }),
  ),
];

export const OUTLIER_CASES: readonly WireCase[] = [
  {
    name: "consecutiveGatewayErrors: 503 ejects, 500 does not, and the time of an ejection ends",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutiveGatewayErrors: 2, consecutive5xxErrors: 0, interval: 0.1s, baseEjectionTime: 0.8s, maxEjectionPercent: 100 }",
      ),
    calls: [
      many(20, http(CALL, {}, { headers: { "x-fail": "500", "x-fail-at": "a" } }), {
        a: [1, 19],
        b: [1, 19],
      }),
    ],
    run: async (wire) => {
      await wire.tally(12, { kind: "http", to: CALL, headers: { "x-fail": "503", "x-fail-at": "a" } });
      assert.deepEqual(await wire.tally(12, { kind: "http", to: CALL }), { b: 12 });
      await eventually(
        "a is back",
        async () => (await wire.tally(4, { kind: "http", to: CALL }))["a"] !== undefined,
      );
    },
  },
  {
    name: "consecutive5xxErrors: 500 ejects",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutive5xxErrors: 2, interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100 }",
      ),
    upstreams: [CALL],
    run: async (wire) => {
      await wire.tally(12, { kind: "http", to: CALL, headers: { "x-fail": "500", "x-fail-at": "a" } });
      assert.deepEqual(await wire.tally(12, { kind: "http", to: CALL }), { b: 12 });
    },
  },
  {
    name: "a call over gRPC counts by a grpc-status in the head of its answer, and by no other",
    yaml: (at) =>
      entry(SHOP, "80 GRPC", [at("h2")]) +
      policy(
        "outlierDetection: { consecutive5xxErrors: 2, interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100, minHealthPercent: 0 }",
      ) +
      routes(SHOP, `http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${SHOP} } }] }]`),
    upstreams: [CALL],
    run: async (wire) => {
      const status = async (grpcStatus: string, over: Record<string, string> = {}): Promise<number> => {
        const headers = { "content-type": "application/grpc", "x-grpc-status": grpcStatus, ...over };
        return (await wire.http(CALL, { http2: true, method: "POST", headers })).status;
      };
      const inHead = { "x-grpc-in": "head" };
      const noGrpc = { "content-type": "application/json" };
      for (const grpcStatus of ["14", "5", "14"]) assert.equal(await status(grpcStatus, inHead), 200);
      for (let left = 4; left > 0; left--) assert.equal(await status("14"), 200, "told in trailers");
      for (let left = 4; left > 0; left--) assert.equal(await status("14", { ...inHead, ...noGrpc }), 200);
      for (let left = 2; left > 0; left--) assert.equal(await status("14", inHead), 200);
      await eventually("who fails is ejected", async () => (await status("0", noGrpc)) === 503);
    },
  },
  {
    name: "consecutiveLocalOriginFailures: who cannot be connected to is ejected, apart from what answers say",
    yaml: (at) =>
      entry(DB, "9000 TCP", [at("ta"), at("tb")]) +
      rule(
        DB,
        `trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN }, outlierDetection: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xxErrors: 0, interval: 0.1s,
          baseEjectionTime: 0.8s, maxEjectionPercent: 100 } }`,
      ),
    calls: [many(6, tcp(`${DB}:9000`, {}), { ta: [3, 3], tb: [3, 3] })],
    run: async (wire) => {
      const call = { kind: "tcp", to: `${DB}:9000` } as const;
      await wire.apps.down("ta");
      await eventually("ta is ejected", async () => (await wire.tally(4, call))["tb"] === 4);
      await wire.apps.allUp();
      await eventually("ta is back", async () => (await wire.tally(4, call))["ta"] !== undefined);
    },
  },
  {
    name: "minHealthPercent: with fewer healthy endpoints the ejected ones are called again",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutive5xxErrors: 2, interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100, minHealthPercent: 60 }",
      ),
    upstreams: [CALL],
    run: async (wire) => {
      await wire.tally(12, { kind: "http", to: CALL, headers: { "x-fail": "500", "x-fail-at": "a" } });
      const { a = 0, b = 0 } = await wire.tally(30, { kind: "http", to: CALL });
      assert.ok(a > 0 && b > 0, `${a} and ${b}`);
    },
  },
  {
    name: "outlierDetectionHttpErrorCodes: what they name ejects, and no other answer does",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutive5xxErrors: 2, outlierDetectionHttpErrorCodes: [418, 429], interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100 }",
      ),
    calls: ["500", "503", "404"].map((status) =>
      many(12, http(CALL, {}, { headers: { "x-fail": status, "x-fail-at": "a" } }), {
        a: [1, 11],
        b: [1, 11],
      }),
    ),
    run: async (wire) => {
      await wire.tally(12, { kind: "http", to: CALL, headers: { "x-fail": "429", "x-fail-at": "a" } });
      assert.deepEqual(await wire.tally(12, { kind: "http", to: CALL }), { b: 12 });
    },
  },
  {
    name: "outlierDetectionHttpErrorCodes: only those of a gateway among them are gateway errors",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutiveGatewayErrors: 2, consecutive5xxErrors: 0, outlierDetectionHttpErrorCodes: [429, 503], interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 100 }",
      ),
    calls: ["429", "502", "404"].map((status) =>
      many(12, http(CALL, {}, { headers: { "x-fail": status, "x-fail-at": "a" } }), {
        a: [1, 11],
        b: [1, 11],
      }),
    ),
    run: async (wire) => {
      await wire.tally(12, { kind: "http", to: CALL, headers: { "x-fail": "503", "x-fail-at": "a" } });
      assert.deepEqual(await wire.tally(12, { kind: "http", to: CALL }), { b: 12 });
    },
  },
  {
    name: "maxEjectionPercent: no more are ejected than it allows",
    yaml: (at) =>
      two(at) +
      policy(
        "outlierDetection: { consecutive5xxErrors: 2, interval: 0.1s, baseEjectionTime: 30s, maxEjectionPercent: 50 }",
      ),
    upstreams: [CALL],
    run: async (wire) => {
      await wire.tally(24, { kind: "http", to: CALL, headers: { "x-status": "500" } });
      const seen = await wire.tally(10, { kind: "http", to: CALL });
      assert.equal(Object.keys(seen).length, 1, JSON.stringify(seen));
    },
  },
];
