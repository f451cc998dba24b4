import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { entry, http, routes, rule, type WireCase } from "../wire-case.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const OTHER = "other.test";

const keepAlive = (host: string, times: string): string =>
  rule(host, `trafficPolicy: { connectionPool: { http: { http2KeepAlive: { ${times} } } } }`);
const noRetries = (host: string): string =>
  routes(host, `http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${host} } }] }]`);

export const HTTP2_CASES: readonly WireCase[] = [
  {
    name: "http2KeepAlive: a server that answers no PING is given up, with the calls that it has",
    yaml: (at) =>
      entry(SHOP, "80 HTTP2", [at("silent")]) +
      noRetries(SHOP) +
      keepAlive(SHOP, "interval: 0.2s, timeout: 0.3s"),
    calls: [http(CALL, { status: 503, tookMs: [400, 4_000] })],
  },
  {
    name: "http2KeepAlive: PINGs come as often as it says, and without it never",
    yaml: (at) =>
      entry(SHOP, "80 HTTP2", [at("h2")]) +
      entry(OTHER, "80 HTTP2", [at("h2")]) +
      keepAlive(SHOP, "interval: 0.1s, timeout: 5s"),
    upstreams: [CALL, `${OTHER}:80`],
    run: async (wire) => {
      const slow = { headers: { "x-delay": "500" } };
      assert.equal((await wire.http(`${OTHER}:80`, slow)).echo?.app, "h2");
      assert.equal(wire.apps.pings, 0);
      assert.equal((await wire.http(CALL, slow)).echo?.app, "h2");
      await eventually("PINGs", () => wire.apps.pings >= 2);
    },
  },
  {
    name: "maxConcurrentStreams: more calls than that at once are on more connections",
    yaml: (at) =>
      entry(SHOP, "80 HTTP2", [at("h2")]) +
      entry(OTHER, "80 HTTP2", [at("h2")]) +
      rule(SHOP, "trafficPolicy: { connectionPool: { http: { maxConcurrentStreams: 2 } } }"),
    upstreams: [CALL, `${OTHER}:80`],
    run: async (wire) => {
      for (const [to, connections] of [
        [CALL, 3],
        [`${OTHER}:80`, 1],
      ] as const) {
        const answers = await wire.atOnce(6, to, { headers: { "x-delay": "400" } });
        const used = new Set(answers.map(({ echo }) => echo?.connection));
        assert.equal(used.size, connections, `${to}: ${[...used].join()}`);
      }
    },
  },
];
