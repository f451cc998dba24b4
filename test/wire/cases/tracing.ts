import assert from "node:assert/strict";
import { eventually } from "../../harness/eventually.ts";
import { TelemetryReceiver } from "../../harness/telemetry-receiver.ts";
import { entry, routes, type WireCase } from "../wire-case.ts";
import type { WireRun } from "../wire-run.ts";
import { mesh } from "./mesh.ts";

const SHOP = "shop.test";
const CALL = `${SHOP}:80`;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
/** Before the endpoints of the receivers are known; `apply` puts them in. */
const NOWHERE = { address: "127.0.0.1", port: 1 };

const PROVIDERS = `extensionProviders: [
  { name: otlp, opentelemetry: { service: otel.test, port: 4317 } },
  { name: zipkin, zipkin: { service: zipkin.test, port: 9411 } },
  { name: logs, envoyOtelAls: { service: otel.test, port: 4317, logFormat: { text: "%REQ(:METHOD)% %RESPONSE_CODE%", labels: { mark: "%REQ(X-MARK)%" } } } }
]`.replaceAll("\n", " ");

const collectors = (receiver?: TelemetryReceiver): string => {
  const at = (port: number | undefined) => [port === undefined ? NOWHERE : { ...NOWHERE, port }];
  return (
    entry("otel.test", "4317 GRPC", at(receiver?.otlpPort)) +
    entry("zipkin.test", "9411 HTTP", at(receiver?.zipkinPort))
  );
};

const telemetry = (spec: string): string => `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: all, namespace: istio-system }
spec: { ${spec} }`;

/** Objects with the receiver in place, and what it gets of calls. */
function withReceiver(
  objects: (receiver?: TelemetryReceiver) => string,
  check: (wire: WireRun, receiver: TelemetryReceiver) => Promise<void>,
): Pick<WireCase, "run"> {
  return {
    run: async (wire) => {
      await using receiver = await TelemetryReceiver.start();
      await wire.apply(objects(receiver));
      await check(wire, receiver);
    },
  };
}

function traced(provider: "otlp" | "zipkin"): WireCase {
  const objects = (receiver?: TelemetryReceiver): string =>
    shopOf +
    collectors(receiver) +
    mesh(PROVIDERS) +
    telemetry(
      `tracing: [{ providers: [{ name: ${provider} }], randomSamplingPercentage: 100, customTags: { fixed: { literal: { value: x } }, mark: { header: { name: x-mark, defaultValue: none } } } }]`,
    );
  let shopOf = "";
  return {
    name: `tracing by ${provider}: the caller's trace goes on, and a new one begins`,
    yaml: (at) => {
      shopOf = entry(SHOP, "80 HTTP", [at("a")]);
      return objects();
    },
    upstreams: [CALL],
    ...withReceiver(objects, async (wire, receiver) => {
      const headers: Record<string, string> =
        provider === "otlp"
          ? { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "a=1" }
          : { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1" };
      const { echo } = await wire.http(CALL, { path: "/x?y=1", headers: { ...headers, "x-mark": "m" } });
      const seen = String(
        provider === "otlp" ? echo?.headers?.["traceparent"] : echo?.headers?.["x-b3-traceid"],
      );
      assert.ok(seen.includes(TRACE) && !seen.includes(SPAN), seen);
      await wire.http(CALL, { path: "/new" });
      const spans = await eventually("two spans", () => receiver.spans.length >= 2 && receiver.spans, 12_000);
      const [first, second] = spans;
      assert.deepEqual(
        [first?.traceId, first?.kind, first?.tags["fixed"], first?.tags["mark"]],
        [TRACE, "CLIENT", "x", "m"],
      );
      assert.equal(first?.parentId, SPAN);
      const told = provider === "otlp" ? seen.split("-")[2] : String(echo?.headers?.["x-b3-spanid"]);
      assert.equal(first?.id, told, "the upstream's parent is the span");
      assert.ok(Math.abs((first?.startMs ?? 0) - Date.now()) < 30_000, String(first?.startMs));
      assert.match(second?.traceId ?? "", /^[\da-f]{32}$/);
      assert.notEqual(second?.traceId, TRACE);
      assert.equal(second?.parentId, "");
      assert.equal(second?.tags["mark"], "none");
    }),
  };
}

let shop = "";

function rarely(receiver?: TelemetryReceiver): string {
  const spec = "tracing: [{ providers: [{ name: otlp }], randomSamplingPercentage: 0 }]";
  return shop + collectors(receiver) + mesh(PROVIDERS) + telemetry(spec);
}

function loggedTo(receiver?: TelemetryReceiver): string {
  const spec = "accessLogging: [{ providers: [{ name: logs }] }]";
  return shop + collectors(receiver) + mesh(PROVIDERS) + telemetry(spec);
}

export const TRACING_CASES: readonly WireCase[] = [
  traced("otlp"),
  traced("zipkin"),
  {
    name: "sampling: none but what a client forces, or an ID has decided",
    yaml: (at) => {
      shop = entry(SHOP, "80 HTTP", [at("a")]);
      return rarely();
    },
    upstreams: [CALL],
    ...withReceiver(rarely, async (wire, receiver) => {
      const paths: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
        ["/chance", {}],
        ["/denied", { traceparent: `00-${TRACE}-${SPAN}-00` }],
        ["/forced", { "x-client-trace-id": "me", "x-request-id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8" }],
        ["/id", { "x-request-id": "6ba7b810-9dad-91d1-80b4-00c04fd430c8" }],
      ];
      for (const [path, headers] of paths) await wire.http(CALL, { path, headers });
      const spans = await eventually("the spans", () => receiver.spans.length >= 2 && receiver.spans, 12_000);
      const seen = spans.map(({ tags }) => tags["url.path"] ?? new URL(tags["http.url"] ?? "").pathname);
      assert.deepEqual(seen, ["/forced", "/id"]);
    }),
  },
  {
    name: "a log to OpenTelemetry, and values of requests in headers",
    yaml: (at) => {
      shop =
        entry(SHOP, "80 HTTP", [at("a")]) +
        routes(
          SHOP,
          `http: [{ headers: { request: { set: { x-from: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", x-copy: "<%REQ(x-mark)%>", x-none: "%REQ(x-nothing)%" } }, response: { add: { x-code: "%RESPONSE_CODE% of 100%%" } } }, route: [{ destination: { host: ${SHOP} } }] }]`,
        );
      return loggedTo();
    },
    upstreams: [CALL],
    ...withReceiver(loggedTo, async (wire, receiver) => {
      const { echo, headers } = await wire.http(CALL, { headers: { "x-mark": "m" } });
      assert.match(String(echo?.headers?.["x-from"]), /^127\./);
      assert.deepEqual(
        [echo?.headers?.["x-copy"], echo?.headers?.["x-none"], headers["x-code"]],
        ["<m>", undefined, "200 of 100%"],
      );
      const [log] = await eventually("the log", () => receiver.logs.length > 0 && receiver.logs, 12_000);
      assert.deepEqual([log?.body, log?.attributes["mark"]], ["GET 200", "m"]);
      assert.equal(log?.resource["log_name"], "otel_envoy_accesslog");
    }),
  },
];
