import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";

const HOST = "api.example.com";

/** Flow YAML of a ServiceEntry and, where it is not default, its namespace. */
type Entry = string | readonly [spec: string, namespace: string];

/** What ServiceEntries of one host, the oldest first, make of it. */
function joined(entries: readonly Entry[]): {
  readonly ports: string;
  readonly addresses: string;
  readonly endpoints: readonly string[];
} {
  const documents = entries.map((entry, index) => {
    const [spec, namespace] = typeof entry === "string" ? [entry, "default"] : entry;
    return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: e${index}, namespace: ${namespace} }
spec: { hosts: [${HOST}], ${spec} }
`;
  });
  const entry = `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: w }
spec: { address: 10.0.0.9, labels: { app: w } }
`;
  const { services, endpoints } = sampleState({ yaml: [entry, ...documents].join("---") }).next().snapshot;
  const service = services.get(HOST);
  assert.ok(service);
  return {
    ports: service.ports.map(({ number, protocol }) => `${number}/${protocol}`).join(" "),
    addresses: service.addresses.join(" "),
    endpoints: (endpoints.get(HOST) ?? []).map(({ targets }) =>
      targets.map(({ servicePort, address, port }) => `${servicePort}>${address}:${port}`).join(" "),
    ),
  };
}

const HTTP = "ports: [{ number: 80, name: http, protocol: HTTP }]";
const TLS = "ports: [{ number: 443, name: tls, protocol: TLS }]";
const BOTH = "ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }]";
const at = (address: string): string => `resolution: STATIC, endpoints: [{ address: ${address} }]`;
const A = `addresses: [192.0.2.1], ${HTTP}, ${at("10.0.0.1")}`;

const table: readonly {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly want: ReturnType<typeof joined>;
}[] = [
  {
    name: "one for each port are one service",
    entries: [A, `addresses: [192.0.2.2], ${TLS}, ${at("10.0.0.2")}`],
    want: {
      ports: "80/http 443/tls",
      addresses: "192.0.2.1 192.0.2.2",
      endpoints: ["80>10.0.0.1:80", "443>10.0.0.2:443"],
    },
  },
  {
    name: "a port that both have gets the endpoints of both",
    entries: [A, `${BOTH}, ${at("10.0.0.2")}`],
    want: {
      ports: "80/http 443/tls",
      addresses: "192.0.2.1",
      endpoints: ["80>10.0.0.1:80", "80>10.0.0.2:80 443>10.0.0.2:443"],
    },
  },
  {
    name: "a port of the same number and another name is the older one's",
    entries: [A, `ports: [{ number: 80, name: tcp, protocol: TCP }], ${at("10.0.0.2")}`],
    want: { ports: "80/http", addresses: "192.0.2.1", endpoints: ["80>10.0.0.1:80"] },
  },
  {
    name: "what both select is one endpoint with the ports of both",
    entries: [
      `addresses: [192.0.2.1], ${HTTP}, resolution: STATIC, workloadSelector: { labels: { app: w } }`,
      `${BOTH}, resolution: STATIC, workloadSelector: { labels: { app: w } }`,
    ],
    want: {
      ports: "80/http 443/tls",
      addresses: "192.0.2.1",
      endpoints: ["80>10.0.0.9:80 443>10.0.0.9:443"],
    },
  },
  {
    name: "one that is resolved in another way does not count",
    entries: [A, `${TLS}, resolution: DNS`],
    want: { ports: "80/http", addresses: "192.0.2.1", endpoints: ["80>10.0.0.1:80"] },
  },
  {
    name: "one for other namespaces does not count",
    entries: [A, `${TLS}, exportTo: ["."], ${at("10.0.0.2")}`],
    want: { ports: "80/http", addresses: "192.0.2.1", endpoints: ["80>10.0.0.1:80"] },
  },
  {
    name: "one of another namespace does not count",
    entries: [A, [`${TLS}, ${at("10.0.0.2")}`, "shop"]],
    want: { ports: "80/http", addresses: "192.0.2.1", endpoints: ["80>10.0.0.1:80"] },
  },
];
for (const { name, entries, want } of table) {
  test(`of several ServiceEntries for a host, ${name}`, () => {
    assert.deepEqual(joined(entries), want);
  });
}
