import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const good: readonly GoodCase<"Telemetry">[] = [
  { name: "nothing", spec: {}, want: { selector: {}, accessLogging: [], tracing: [] } },
  {
    name: "logging",
    spec: { accessLogging: [{ providers: [{ name: "a" }], filter: { expression: "response.code >= 400" } }] },
    want: {
      accessLogging: [
        {
          mode: "CLIENT_AND_SERVER",
          providers: ["a"],
          disabled: undefined,
          filter: "response.code >= 400",
        },
      ],
    },
  },
  {
    name: "an expression for Envoy alone",
    spec: { accessLogging: [{ filter: { expression: "request.headers.exists(h, true)" } }] },
    want: {
      accessLogging: [
        {
          mode: "CLIENT_AND_SERVER",
          providers: [],
          disabled: undefined,
          filter: "request.headers.exists(h, true)",
        },
      ],
    },
    warnings: [["spec.accessLogging[0].filter.expression", "only Envoy may know"]],
  },
  {
    name: "metrics, which are not in force yet",
    spec: { metrics: [{ providers: [{ name: "prometheus" }] }] },
    want: {},
    warnings: [["spec.metrics", "is accepted but not in force yet"]],
  },
];

const bad: readonly BadCase[] = [
  {
    name: "shares and providers",
    spec: {
      tracing: [{ randomSamplingPercentage: 101, providers: [{ name: "a" }, { name: "b" }] }],
      accessLogging: [{ match: { mode: "BOTH" }, providers: [{}] }],
      targetRef: { kind: "Gateway" },
    },
    errors: [
      ["spec.tracing[0].randomSamplingPercentage", "must be from 0 to 100"],
      ["spec.tracing[0].providers", "must be one"],
      ["spec.accessLogging[0].match.mode", "must be one of"],
      ["spec.accessLogging[0].providers[0].name", "is required"],
      ["spec.targetRef", "would change the telemetry of workloads"],
    ],
  },
];

testKind("Telemetry", "telemetry.istio.io/v1", { good, bad });
