import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { ReadinessProbe } from "./readiness-probe.ts";

const TIMES = {
  initialDelayMs: 0,
  timeoutMs: 1000,
  periodMs: 10_000,
  successThreshold: 1,
  failureThreshold: 3,
};

function probed(name: string, probe: object, check: ReadinessProbe["check"]): GoodCase<"WorkloadGroup"> {
  return {
    name: `a probe by ${name}`,
    spec: { template: {}, probe },
    want: { probe: { ...TIMES, check } },
  };
}

const good: readonly GoodCase<"WorkloadGroup">[] = [
  {
    name: "a template that leaves all to the instance",
    spec: { template: {} },
    want: {
      labels: {},
      annotations: {},
      template: {
        address: "",
        ports: {},
        labels: {},
        network: "",
        locality: "",
        weight: 1,
        serviceAccount: "",
      },
      probe: undefined,
    },
  },
  {
    name: "labels, annotations and a template",
    spec: {
      metadata: { labels: { app: "reviews" }, annotations: { note: "a b" } },
      template: { ports: { http: 9080 }, serviceAccount: "reviews", network: "vm" },
    },
    want: {
      labels: { app: "reviews" },
      annotations: { note: "a b" },
      template: {
        address: "",
        ports: { http: 9080 },
        labels: {},
        network: "vm",
        locality: "",
        weight: 1,
        serviceAccount: "reviews",
      },
    },
    warnings: [["spec.metadata.annotations", "nothing reads them"]],
  },
  probed(
    "HTTP",
    { httpGet: { port: 80 } },
    {
      kind: "http",
      path: "/",
      port: 80,
      host: "",
      scheme: "HTTP",
      headers: [],
    },
  ),
  probed(
    "HTTPS with everything",
    {
      httpGet: {
        path: "healthz",
        port: 443,
        host: "127.0.0.2",
        scheme: "HTTPS",
        httpHeaders: [{ name: "X-Probe", value: "1" }, { name: "x_y" }],
      },
    },
    {
      kind: "http",
      path: "/healthz",
      port: 443,
      host: "127.0.0.2",
      scheme: "HTTPS",
      headers: [
        { name: "X-Probe", value: "1" },
        { name: "x_y", value: "" },
      ],
    },
  ),
  probed("TCP", { tcpSocket: { port: 5432 } }, { kind: "tcp", host: "", port: 5432 }),
  probed(
    "a command",
    { exec: { command: ["pg_isready", "-q"] } },
    { kind: "exec", command: ["pg_isready", "-q"] },
  ),
  probed("gRPC", { grpc: { port: 50051, service: "a.B" } }, { kind: "grpc", port: 50051, service: "a.B" }),
  {
    name: "a probe with times, of which 0 says nothing",
    spec: {
      template: {},
      probe: {
        initialDelaySeconds: 5,
        timeoutSeconds: 2,
        periodSeconds: 3,
        successThreshold: 4,
        failureThreshold: 0,
        tcpSocket: { port: 1 },
      },
    },
    want: {
      probe: {
        initialDelayMs: 5000,
        timeoutMs: 2000,
        periodMs: 3000,
        successThreshold: 4,
        failureThreshold: 3,
        check: { kind: "tcp", host: "", port: 1 },
      },
    },
  },
];

const withProbe = (probe: object): object => ({ template: {}, probe });

const bad: readonly BadCase[] = [
  { name: "no template", spec: {}, errors: [["spec.template", "is required"]] },
  {
    name: "a template that no instance could have",
    spec: { template: { address: "a b", ports: { http: 0 }, labels: { "a b": "c" } } },
    errors: [
      ["spec.template.address", "is not an IP address"],
      ["spec.template.ports.http", "at least 1"],
      ['spec.template.labels["a b"]', "is not a valid key"],
    ],
  },
  {
    name: "labels that are none",
    spec: { template: {}, metadata: { labels: { a: "b c" } } },
    errors: [["spec.metadata.labels.a", "is not a valid label value"]],
  },
  {
    name: "a probe that asks nothing",
    spec: withProbe({ periodSeconds: 1 }),
    errors: [["spec.probe", "must have exactly one of httpGet, tcpSocket, exec and grpc"]],
  },
  {
    name: "a probe that asks twice",
    spec: withProbe({ tcpSocket: { port: 1 }, grpc: { port: 1 } }),
    errors: [["spec.probe", "must have exactly one of"]],
  },
  {
    name: "times below 0",
    spec: withProbe({
      initialDelaySeconds: -1,
      timeoutSeconds: -1,
      periodSeconds: -1,
      successThreshold: -1,
      failureThreshold: -1,
      tcpSocket: { port: 1 },
    }),
    errors: [
      ["spec.probe.initialDelaySeconds", "at least 0"],
      ["spec.probe.timeoutSeconds", "at least 0"],
      ["spec.probe.periodSeconds", "at least 0"],
      ["spec.probe.successThreshold", "at least 0"],
      ["spec.probe.failureThreshold", "at least 0"],
    ],
  },
  {
    name: "HTTP without a port, with another scheme and a header that is none",
    spec: withProbe({ httpGet: { scheme: "http", httpHeaders: [{ name: "**" }] } }),
    errors: [
      ["spec.probe.httpGet.port", "is required"],
      ["spec.probe.httpGet.scheme", "did you mean `HTTP`?"],
      ["spec.probe.httpGet.httpHeaders[0].name", "is not a header name"],
    ],
  },
  {
    name: "TCP at a port that is too large",
    spec: withProbe({ tcpSocket: { port: 65536 } }),
    errors: [["spec.probe.tcpSocket.port", "at most 65535"]],
  },
  {
    name: "no command",
    spec: withProbe({ exec: { command: [] } }),
    errors: [["spec.probe.exec.command", "at least 1"]],
  },
];

testKind("WorkloadGroup", "networking.istio.io/v1", { good, bad });
