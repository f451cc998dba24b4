import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const good: readonly GoodCase<"WorkloadEntry">[] = [
  {
    name: "an address alone",
    spec: { address: "10.0.0.1" },
    want: {
      address: "10.0.0.1",
      ports: {},
      labels: {},
      network: "",
      locality: "",
      weight: 1,
      serviceAccount: "",
    },
  },
  {
    name: "all fields",
    spec: {
      address: "db.example.com",
      ports: { mysql: 3306 },
      labels: { app: "mysqldb" },
      network: "vm",
      locality: "eu/a/1",
      weight: 7,
      serviceAccount: "bookinfo-mysql",
    },
    want: {
      ports: { mysql: 3306 },
      labels: { app: "mysqldb" },
      network: "vm",
      locality: "eu/a/1",
      weight: 7,
      serviceAccount: "bookinfo-mysql",
    },
  },
  { name: "an abstract socket", spec: { address: "unix://@app" }, want: { address: "unix://@app" } },
  {
    name: "a network instead of an address",
    spec: { network: "vm" },
    want: { address: "", network: "vm" },
    warnings: [["spec", "through the gateway of its network"]],
  },
  { name: "weight 0 counts as 1", spec: { address: "::1", weight: 0 }, want: { weight: 1 } },
];

const bad: readonly BadCase[] = [
  { name: "no address", spec: {}, errors: [["spec.address", "is required"]] },
  { name: "an empty address", spec: { address: "" }, errors: [["spec.address", "is required"]] },
  {
    name: "an address that is none",
    spec: { address: "a b" },
    errors: [["spec.address", "is not an IP address"]],
  },
  {
    name: "a relative socket",
    spec: { address: "unix://app" },
    errors: [["spec.address", "is not an IP address"]],
  },
  {
    name: "a socket that is a folder",
    spec: { address: "unix:///run/" },
    errors: [["spec.address", "is not an IP address"]],
  },
  {
    name: "an address whose last part is too large a number",
    spec: { address: "10.0.0.256" },
    errors: [["spec.address", "is not an IP address"]],
  },
  {
    name: "a socket with ports",
    spec: { address: "unix:///app", ports: { a: 1 } },
    errors: [["spec.ports", "must not be set with a unix:// address"]],
  },
  {
    name: "ports, weights, labels and accounts that are none",
    spec: {
      address: "10.0.0.1",
      ports: { a: 0, b: "80", "c d": 1 },
      weight: -1,
      labels: { "a b": "c", d: "e f" },
      serviceAccount: "../root",
    },
    errors: [
      ["spec.ports.a", "at least 1"],
      ["spec.ports.b", "must be a number, not a string"],
      ['spec.ports["c d"]', "is not a port's name"],
      ["spec.weight", "at least 0"],
      ['spec.labels["a b"]', "is not a valid key"],
      ["spec.labels.d", "is not a valid label value"],
      ["spec.serviceAccount", "is not the name of a service account"],
    ],
  },
];

testKind("WorkloadEntry", "networking.istio.io/v1", { good, bad });
