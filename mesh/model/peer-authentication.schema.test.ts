import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const good: readonly GoodCase<"PeerAuthentication">[] = [
  {
    name: "no spec at all",
    spec: undefined,
    want: { selector: {}, mode: "UNSET", portLevelMtls: new Map() },
  },
  { name: "strict for all", spec: { mtls: { mode: "STRICT" } }, want: { mode: "STRICT" } },
  {
    name: "by port of some workloads",
    spec: {
      selector: { matchLabels: { app: "ratings" } },
      mtls: { mode: "STRICT" },
      portLevelMtls: { 8080: { mode: "DISABLE" }, 9080: {} },
    },
    want: {
      selector: { app: "ratings" },
      portLevelMtls: new Map([
        [8080, "DISABLE"],
        [9080, "UNSET"],
      ] as const),
    },
  },
];

const bad: readonly BadCase[] = [
  {
    name: "an unknown mode",
    spec: { mtls: { mode: "strict" } },
    errors: [
      [
        "spec.mtls.mode",
        'must be one of UNSET, DISABLE, PERMISSIVE, STRICT, not "strict" (did you mean `STRICT`?)',
      ],
    ],
  },
  {
    name: "ports without a selector",
    spec: { portLevelMtls: { 8080: { mode: "STRICT" } } },
    errors: [["spec.portLevelMtls", "needs a selector"]],
  },
  {
    name: "ports that are none, and an empty list of them",
    spec: {
      selector: { matchLabels: { app: "a" } },
      portLevelMtls: { 0: {}, http: {}, 65536: {}, "08": {}, 80: { mode: 1 } },
    },
    errors: [
      ['spec.portLevelMtls["0"]', "must be a port"],
      ["spec.portLevelMtls.http", "must be a port"],
      ['spec.portLevelMtls["65536"]', "must be a port"],
      ['spec.portLevelMtls["08"]', "must be a port"],
      ['spec.portLevelMtls["80"].mode', "must be one of"],
    ],
  },
  {
    name: "no port in the ports",
    spec: { selector: { matchLabels: { app: "a" } }, portLevelMtls: {} },
    errors: [["spec.portLevelMtls", "must have a port"]],
  },
  {
    name: "a selector with a wildcard",
    spec: { selector: { matchLabels: { app: "rat*" } } },
    errors: [["spec.selector.matchLabels.app", "wildcard"]],
  },
];

testKind("PeerAuthentication", "security.istio.io/v1", { good, bad });
