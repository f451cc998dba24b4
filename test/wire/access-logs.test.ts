import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { eventually } from "../harness/eventually.ts";
import { call, TestApp } from "../harness/proxy-pair.ts";
import { StaticEnvoy } from "../harness/static-envoy.ts";
import { listenTcp } from "../harness/tcp-pair.ts";
import { freePorts, TestProxy } from "../harness/test-proxy.ts";
import { skipWithout } from "../harness/tools.ts";
import {
  address,
  httpManager,
  ISTIO_FORMAT,
  routeConfig,
  router,
  routeTo,
  staticCluster,
  tcpProxy,
} from "../harness/xds-samples.ts";

type Json = Record<string, JsonValue>;

const FORMATS: Readonly<Record<string, string | Json>> = {
  istio: ISTIO_FORMAT,
  headers:
    "%REQ(X-MARK)% %REQ(x-none?x-mark):3% %REQ(X-NONE)% %REQ(:SCHEME)% %REQ(:PATH)% %REQ(HOST)% " +
    "%RESP(X-APP)% %RESP(:STATUS)% %TRAILER(X-NONE)% 100%%\n",
  times:
    "%START_TIME(%Y/%m/%dT%H:%M:%S%z)% %START_TIME(%s)% %START_TIME(%s.%3f)% %START_TIME(%F %T)% %DURATION% " +
    "%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%\n",
  places:
    "%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% " +
    "%UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT% " +
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% " +
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% " +
    "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_LOCAL_URI_SAN% %UPSTREAM_PEER_URI_SAN% %REQUESTED_SERVER_NAME%\n",
  outcome:
    "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %ROUTE_NAME% %PROTOCOL% " +
    "%BYTES_RECEIVED% %BYTES_SENT% %GRPC_STATUS% %GRPC_STATUS_NUMBER% %UPSTREAM_REQUEST_ATTEMPT_COUNT% " +
    "%DYNAMIC_METADATA(none:x)% %FILTER_STATE(none)% %ACCESS_LOG_TYPE%\n",
  json: {
    code: "%RESPONSE_CODE%",
    flags: "%RESPONSE_FLAGS%",
    sent: "%BYTES_SENT%",
    none: "%REQ(X-NONE)%",
    mark: "%REQ(X-MARK)%",
    both: "%REQ(:METHOD)% %REQ(X-NONE)%",
    inner: { version: 1, path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", list: ["%PROTOCOL%", "x"] },
  },
};

interface Request {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Fields of a line that differ, with the reason. */
  readonly status: number;
  readonly flags: string;
}

const REQUESTS: readonly Request[] = [
  { path: "/app?q=1", headers: { "x-mark": "abcdef", "user-agent": 'a" "b' }, status: 200, flags: "-" },
  { path: "/app", method: "POST", body: "hello", status: 200, flags: "-" },
  { path: "/app/teapot", status: 418, flags: "-" },
  { path: "/old/path?x=%20y", headers: { "x-forwarded-for": "192.0.2.1" }, status: 200, flags: "-" },
  { path: "/direct", status: 403, flags: "-" },
  { path: "/elsewhere", status: 301, flags: "-" },
  { path: "/nowhere", status: 404, flags: "NR" },
  { path: "/refused", status: 503, flags: "UF" },
  { path: "/refused-twice", status: 503, flags: "URX,UF" },
  { path: "/empty", status: 503, flags: "UH" },
  { path: "/full", status: 503, flags: "UO" },
  { path: "/slow", status: 504, flags: "UT" },
  { path: "/cut", status: 503, flags: "UC" },
  { path: "/faulty", status: 555, flags: "FI" },
  { path: "/delayed", status: 200, flags: "DI" },
];

const FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
const whole = { numerator: 100 };
const fault = (fields: Json): Json => ({
  typedPerFilterConfig: { "envoy.filters.http.fault": { "@type": FAULT, ...fields } },
});
const to = (prefix: string, cluster: string, fields: Json = {}, action: Json = {}): Json =>
  routeTo(cluster, { name: prefix.slice(1), match: { prefix }, ...fields }, action);

const ROUTES: readonly Json[] = [
  to("/old", "app", {}, { prefixRewrite: "/app" }),
  {
    name: "direct",
    match: { prefix: "/direct" },
    directResponse: { status: 403, body: { inlineString: "no" } },
  },
  { name: "elsewhere", match: { prefix: "/elsewhere" }, redirect: { hostRedirect: "other.test" } },
  to(
    "/refused-twice",
    "refused",
    {},
    {
      retryPolicy: { retryOn: "connect-failure", numRetries: 1, retryBackOff: { baseInterval: "0.001s" } },
    },
  ),
  to("/refused", "refused"),
  to("/empty", "empty"),
  to("/full", "full"),
  to("/slow", "slow", {}, { timeout: "0.05s" }),
  to("/cut", "cut"),
  to("/faulty", "app", fault({ abort: { httpStatus: 555, percentage: whole } })),
  to("/delayed", "app", fault({ delay: { fixedDelay: "0.01s", percentage: whole } })),
  to("/app", "app"),
];

const fileLog = (path: string, format: string | Json, filter?: Json): Json => ({
  name: "envoy.access_loggers.file",
  ...(filter && { filter }),
  typedConfig: {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path,
    logFormat:
      typeof format === "string" ? { textFormatSource: { inlineString: format } } : { jsonFormat: format },
  },
});

const cel = (expression: string): Json => ({
  extensionFilter: {
    name: "cel",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
      expression,
    },
  },
});

const FILTERS: Readonly<Record<string, Json>> = {
  errors: cel("response.code >= 400"),
  marked: cel("'x-mark' in request.headers || request.headers['x-mark'].startsWith('abc')"),
  retried: { responseFlagFilter: { flags: ["URX", "NR"] } },
  servers: {
    statusCodeFilter: { comparison: { op: "GE", value: { defaultValue: 500, runtimeKey: "none" } } },
  },
  both: {
    andFilter: {
      filters: [cel("!(response.code == 503)"), cel("request.method == 'GET' && response.code > 403")],
    },
  },
};

/** A data plane with all the logs, and where they are. */
interface Plane extends AsyncDisposable {
  readonly port: number;
  readonly tcpPort: number;
  readonly folder: string;
}

describe("access logs", { skip: skipWithout("envoy") }, () => {
  let app: TestApp;
  let silent: Server;
  let cutting: Server;
  let greeter: Server;
  const planes = new Map<"envoy" | "builtin", Plane>();

  before(async () => {
    app = await TestApp.start((incoming, response) => {
      response.setHeader("x-app", "a");
      response.statusCode = incoming.url?.endsWith("teapot") === true ? 418 : 200;
      incoming.resume();
      incoming.on("end", () => response.end("answer"));
    });
    silent = createServer((socket) => socket.on("error", () => {}).resume());
    cutting = createServer((socket) => socket.on("error", () => {}).once("data", () => socket.destroy()));
    greeter = createServer((socket) => socket.on("error", () => {}).end("good day"));
    const [slow, cut, greets] = [await listenTcp(silent), await listenTcp(cutting), await listenTcp(greeter)];
    const [refused = 0] = await freePorts(1);
    const clusters: readonly (readonly [string, Json])[] = [
      ["app", staticCluster("app", [app.port])],
      ["refused", staticCluster("refused", [refused])],
      ["empty", staticCluster("empty", [])],
      [
        "full",
        {
          ...staticCluster("full", [app.port]),
          circuitBreakers: { thresholds: [{ maxRequests: 0, maxPendingRequests: 0, maxConnections: 0 }] },
        },
      ],
      ["slow", staticCluster("slow", [slow])],
      ["cut", staticCluster("cut", [cut])],
      ["greets", staticCluster("greets", [greets])],
    ];
    for (const plane of ["envoy", "builtin"] as const) planes.set(plane, await start(plane, clusters));
    for (const { port, tcpPort } of planes.values()) {
      for (const { path, method, headers, body, status } of REQUESTS) {
        const answer = await call(port, path, {
          ...(method && { method }),
          ...(headers && { headers: { ...headers } }),
          ...(body && { body }),
        });
        assert.equal(answer.status, status, path);
      }
      const { connect } = await import("node:net");
      await new Promise((resolve) =>
        connect({ port: tcpPort, host: "127.0.0.1" }).resume().on("close", resolve),
      );
    }
  });

  after(async () => {
    for (const plane of planes.values()) await plane[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
    for (const server of [silent, cutting, greeter]) server.close();
  });

  for (const name of Object.keys(FORMATS)) {
    test(`${name}: the same lines of both`, async () => {
      const [envoy, builtin] = [await lines("envoy", name), await lines("builtin", name)];
      for (const [index, { path }] of REQUESTS.entries())
        assert.equal(builtin[index], envoy[index], `${name} of ${path}`);
    });
  }

  test("flags are those of what was done to the requests", async () => {
    for (const plane of planes.keys()) {
      const flags = (await lines(plane, "outcome")).map((line) => line.split(" ")[2]);
      assert.deepEqual(
        flags,
        REQUESTS.map((one) => one.flags),
        plane,
      );
    }
  });

  test("a connection of TCP", async () => {
    const [envoy, builtin] = [await lines("envoy", "tcp", 1), await lines("builtin", "tcp", 1)];
    assert.deepEqual(builtin, envoy);
  });

  for (const [name, count] of [
    ["errors", 10],
    ["marked", 1],
    ["retried", 2],
    ["servers", 7],
    ["both", 4],
  ] as const) {
    test(`the filter "${name}" lets the same through on both`, async () => {
      const [envoy, builtin] = [await lines("envoy", name, count), await lines("builtin", name, count)];
      assert.deepEqual(builtin, envoy);
    });
  }

  async function start(
    kind: "envoy" | "builtin",
    clusters: readonly (readonly [string, Json])[],
  ): Promise<Plane> {
    const folder = await mkdtemp(join(tmpdir(), `lateen-logs-${kind}-`));
    const [port = 0, tcpPort = 0] = await freePorts(2);
    const accessLog = [
      ...Object.entries(FORMATS).map(([name, format]) => fileLog(join(folder, name), format)),
      ...Object.entries(FILTERS).map(([name, filter]) =>
        fileLog(join(folder, name), "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE%\n", filter),
      ),
    ];
    const http = httpManager({
      accessLog,
      routeConfig: { ...routeConfig("r", ROUTES), validateClusters: false },
      httpFilters: [{ name: "envoy.filters.http.fault", typedConfig: { "@type": FAULT } }, router],
    });
    const tcp = tcpProxy({ cluster: "greets", accessLog: [fileLog(join(folder, "tcp"), ISTIO_FORMAT)] });
    const listeners: Json[] = [
      { name: "http", address: address(port), filterChains: [{ filters: [http] }] },
      { name: "tcp", address: address(tcpPort), filterChains: [{ filters: [tcp] }] },
    ];
    const rest = async (): Promise<void> => await rm(folder, { recursive: true, force: true });
    if (kind === "envoy") {
      const envoy = await StaticEnvoy.start(
        listeners,
        clusters.map(([, cluster]) => cluster),
      );
      return {
        port,
        tcpPort,
        folder,
        [Symbol.asyncDispose]: async () => await envoy[Symbol.asyncDispose]().then(rest),
      };
    }
    const proxy = await TestProxy.start();
    for (const [name, cluster] of clusters) proxy.ads.set("cluster", name, cluster);
    for (const listener of listeners)
      proxy.ads.set("listener", JSON.stringify(listener["name"]).slice(1, -1), listener);
    await eventually(
      "the listeners are taken",
      () => proxy.ads.acks("listener") + proxy.ads.nacks.length > 0,
    );
    assert.deepEqual(proxy.ads.nacks, []);
    await proxy.ready();
    return {
      port,
      tcpPort,
      folder,
      [Symbol.asyncDispose]: async () => await proxy[Symbol.asyncDispose]().then(rest),
    };
  }

  /** Once all are written: what is never the same twice, ports, times and ids, is made equal. */
  async function lines(kind: "envoy" | "builtin", name: string, count = REQUESTS.length): Promise<string[]> {
    const plane = planes.get(kind);
    assert.ok(plane);
    return await eventually(
      `${count} lines of ${name} from ${kind}`,
      async () => {
        const text = await readFile(join(plane.folder, name), "utf8").catch(() => "");
        const all = text.split("\n").slice(0, -1);
        return all.length === count ? all.map((line) => settled(name, line)) : undefined;
      },
      15_000,
    );
  }
});

function settled(name: string, line: string): string {
  if (name === "json") return JSON.stringify(sorted(JSON.parse(line)));
  const same = line
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "TIME")
    .replace(/[\da-f]{8}-[\da-f-]{27}/, "ID")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT");
  if (name === "istio" || name === "tcp") {
    // Durations: the transport's words for a failure are each one's own.
    return same.replace(
      /("[^"]*" \d+ \d+) \d+ (\d+|-)/,
      (_, before: string, ms: string) => `${before} MS ${ms === "-" ? "-" : "MS"}`,
    );
  }
  if (name === "times") {
    return same
      .replaceAll(/\b\d{4}([/-])\d\d[/-]\d\d/g, "Y$1M$1D")
      .replaceAll(/\d\d:\d\d:\d\d/g, "T")
      .replace(/ \d{10} \d{10}\.\d{3} /, " S S.MS ")
      .replaceAll(/(?<= )\d+(?= |$)/g, "MS");
  }
  if (name === "places") return same.replaceAll(/(?<= )\d+(?= )/g, "PORT");
  return same;
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
