import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { JsonValue } from "../../../mesh/xds/json.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { call, TestApp } from "../../../test/harness/proxy-pair.ts";
import { parseScraped, type Scraped, samplesOf, sumOf } from "../../../test/harness/scraped.ts";
import { TelemetryReceiver } from "../../../test/harness/telemetry-receiver.ts";
import { freePort, TestProxy, type TestProxyOptions } from "../../../test/harness/test-proxy.ts";
import {
  httpOptions,
  outboundHttp,
  routeConfig,
  routeTo,
  staticCluster,
  stdoutLog,
} from "../../../test/harness/xds-samples.ts";

type Json = Record<string, JsonValue>;

const folder = await mkdtemp(join(tmpdir(), "lateen-export-"));
after(async () => await rm(folder, { recursive: true }));

const service: Json = { grpcService: { envoyGrpc: { clusterName: "otel" } } };

function otlpLog(format: string): Json {
  return {
    name: "otlp",
    typedConfig: {
      "@type":
        "type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
      commonConfig: { logName: "calls", transportApiVersion: "V3", ...service },
      body: { stringValue: format },
    },
  };
}

function fileLog(path: string): Json {
  return {
    name: "file",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path,
      logFormat: { textFormatSource: { inlineString: "%REQ(:PATH)%\n" } },
    },
  };
}

function tracing(fixed = "x"): Json {
  return {
    customTags: [{ tag: "fixed", literal: { value: fixed } }],
    provider: {
      name: "otlp",
      typedConfig: { "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig", ...service },
    },
  };
}

/** A proxy in front of an application, with a collector. */
class Ground implements AsyncDisposable {
  readonly proxy: TestProxy;
  readonly app: TestApp;
  readonly port: number;

  private constructor(proxy: TestProxy, app: TestApp, port: number) {
    this.proxy = proxy;
    this.app = app;
    this.port = port;
  }

  static async start(
    otelPort: number,
    manager: Json,
    { app, ...options }: TestProxyOptions & { readonly app?: RequestListener } = {},
  ): Promise<Ground> {
    const ground = new Ground(await TestProxy.start(options), await TestApp.start(app), await freePort());
    const { ads } = ground.proxy;
    const http2 = httpOptions({ explicitHttpConfig: { http2ProtocolOptions: {} } });
    ads.set("cluster", "app", staticCluster("app", [ground.app.port]));
    ads.set("cluster", "otel", staticCluster("otel", [otelPort], http2));
    ads.set("route", "routes", routeConfig("routes", [routeTo("app")]));
    ground.listen(manager);
    await ground.proxy.ready();
    return ground;
  }

  /** The listener, new or anew. */
  listen(manager: Json): void {
    this.proxy.ads.set("listener", "out", { ...outboundHttp(this.port, "routes", manager), name: "out" });
  }

  async call(path: string, options: Parameters<typeof call>[2] = {}): Promise<number> {
    return (await call(this.port, path, options)).status;
  }

  async scrape(): Promise<readonly Scraped[]> {
    return parseScraped((await this.proxy.admin("/stats/prometheus")).body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.app[Symbol.asyncDispose]();
  }
}

test("a server's grpc-status that is no number is one that is none, and the proxy lives", async () => {
  await using receiver = await TelemetryReceiver.start();
  const said = { "/a": "oops", "/b": "99999999999999999999999", "/c": "5" } as Record<string, string>;
  await using ground = await Ground.start(
    receiver.otlpPort,
    { tracing: tracing(), accessLog: [otlpLog("%REQ(:PATH)% %GRPC_STATUS_NUMBER%")] },
    { app: (incoming, response) => response.setHeader("grpc-status", said[incoming.url ?? ""] ?? "0").end() },
  );
  for (const path of Object.keys(said)) await ground.call(path, { headers: { host: "a:99999" } });
  await eventually("all is told", () => receiver.spans.length === 3 && receiver.logs.length === 3, 12_000);
  assert.deepEqual(
    receiver.spans.map(({ tags }) => tags["rpc.grpc.status_code"]),
    ["-1", "-1", "5"],
  );
  assert.deepEqual(
    receiver.logs.map(({ body }) => body),
    ["/a -1", "/b -1", "/c 5"],
  );
  for (const { labels } of samplesOf(await ground.scrape(), "istio_requests_total"))
    assert.equal(labels["grpc_response_status"], "", "none of them was a call over gRPC");
});

test("what waits when the proxy ends is handed over, and what is on its way arrives", async () => {
  await using receiver = await TelemetryReceiver.start();
  const path = join(folder, "last");
  const accessLog = [otlpLog("%REQ(:PATH)%"), fileLog(path), stdoutLog("%REQ(:PATH)%\n")];
  const ground = await Ground.start(receiver.otlpPort, { tracing: tracing(), accessLog });
  receiver.answerAfterMs = 300;
  await ground.call("/first");
  await eventually("a batch is on its way", () => receiver.spans.length > 0 && receiver.logs.length > 0);
  await ground.call("/last");
  await ground[Symbol.asyncDispose]();
  const want = ["/first", "/last"];
  assert.deepEqual(
    [
      receiver.spans.map(({ tags }) => tags["url.path"]),
      receiver.logs.map(({ body }) => body),
      (await readFile(path, "utf8")).split("\n").slice(0, -1),
      ground.proxy.logLines.map((line) => line.trim()),
    ],
    [want, want, want, want],
  );
});

async function isOpen(path: string): Promise<boolean> {
  const descriptors = await readdir("/proc/self/fd");
  const targets = await Promise.all(
    descriptors.map(async (name) => await readlink(`/proc/self/fd/${name}`).catch(() => "")),
  );
  return targets.includes(path);
}

test("versions of settings share their exporters and series, and leave nothing open that none of them names", async () => {
  await using receiver = await TelemetryReceiver.start();
  const [before, now] = [join(folder, "before"), join(folder, "now")];
  const settings = (version: string, path: string): Json => ({
    tracing: tracing(version),
    accessLog: [otlpLog(`${version} %REQ(:PATH)%`), fileLog(path)],
  });
  const held = Promise.withResolvers<void>();
  await using ground = await Ground.start(receiver.otlpPort, settings("v0", before), {
    app: (incoming, response) => {
      if (incoming.url !== "/held") response.end();
      else void held.promise.then(() => response.end());
    },
  });
  const long = ground.call("/held");
  await eventually("a request is under way", () => ground.app.seen.length === 1);
  for (let version = 1; version <= 5; version++) {
    ground.listen(settings(`v${version}`, version < 5 ? before : now));
    await eventually(
      "the version is in force",
      async () => {
        await ground.call(`/${version}`);
        return receiver.logs.some(({ body }) => body === `v${version} /${version}`);
      },
      12_000,
    );
  }
  const lines = async (path: string): Promise<readonly string[]> =>
    (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
  await eventually("the new file is written", async () => (await lines(now)).includes("/5"), 12_000);
  await eventually("the old file is closed", async () => !(await isOpen(before)), 12_000);
  assert.ok(await isOpen(now));
  held.resolve();
  assert.equal(await long, 200);
  const isTold = async (): Promise<boolean> =>
    (await lines(before)).includes("/held") && receiver.logs.some(({ body }) => body === "v0 /held");
  await eventually("what began with the first version is told by it", isTold, 12_000);
  await eventually("its file is closed again", async () => !(await isOpen(before)), 12_000);
  const scraped = await ground.scrape();
  for (const name of ["lateen_access_log_entries_total", "lateen_spans_exported_total"]) {
    const to = samplesOf(scraped, name).map(({ labels }) => labels["to"]);
    assert.deepEqual(to, [...new Set(to)], name);
  }
  const [entries] = samplesOf(scraped, "lateen_access_log_entries_total", { to: "otel" });
  assert.equal(entries?.value, receiver.logs.length);
});

test("callers' hosts make no series, and requests are counted by listener", async () => {
  await using receiver = await TelemetryReceiver.start();
  await using ground = await Ground.start(receiver.otlpPort, {});
  ground.proxy.ads.set("route", "routes", {
    name: "routes",
    virtualHosts: [{ name: "one", domains: ["known"], routes: [routeTo("app")] }],
  });
  await eventually(
    "the host is known",
    async () => (await ground.call("/", { headers: { host: "other" } })) === 404,
  );
  for (let index = 0; index < 50; index++) await ground.call("/", { headers: { host: `made-up-${index}` } });
  await ground.call("/", { headers: { host: "known" } });
  const scraped = await ground.scrape();
  const hosts = samplesOf(scraped, "istio_requests_total").map(({ labels }) => [
    labels["response_code"],
    labels["destination_service"],
    labels["destination_service_name"],
  ]);
  assert.deepEqual(
    hosts.filter(([code]) => code === "404"),
    [["404", "unknown", "unknown"]],
  );
  assert.deepEqual([...new Set(hosts.filter(([code]) => code === "200").map(String))], ["200,unknown,app"]);
  const requests = samplesOf(scraped, "envoy_listener_http_downstream_rq");
  assert.deepEqual(
    requests.map(({ labels }) => labels),
    [{ envoy_listener_address: "out" }],
  );
  assert.equal(sumOf(requests), sumOf(samplesOf(scraped, "istio_requests_total")));
});

test("a worker holds back lines that the reader of standard output does not take, and drops what is beyond", async () => {
  const taken = Promise.withResolvers<void>();
  await using ground = await Ground.start(
    1,
    { accessLog: [stdoutLog("%REQ(X-LONG)%\n")] },
    { concurrency: 2, takesLines: taken.promise },
  );
  const lines = ground.proxy.logLines;
  const headers = { "x-long": "x".repeat(50_000) };
  const dropped = async (): Promise<number> =>
    sumOf(samplesOf(await ground.scrape(), "lateen_access_log_dropped_total"));
  let called = 0;
  await eventually(
    "lines are dropped",
    async () => {
      await Promise.all(Array.from({ length: 20 }, async () => await ground.call("/", { headers })));
      called += 20;
      return (await dropped()) > 0;
    },
    60_000,
  );
  // Each worker has had one batch taken over.
  assert.ok(lines.length < called / 2, `${lines.length} of ${called}`);
  taken.resolve();
  await eventually("the rest is written", async () => lines.length + (await dropped()) === called, 12_000);
});
