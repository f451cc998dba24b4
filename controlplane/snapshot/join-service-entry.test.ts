import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState } from "../../test/fakes/sample-mesh.ts";

const HOST = "api.example.com";

/** Flow YAML of a ServiceEntry and, where it is not default, its namespace. */
type Entry = string | readonly [spec: string, namespace: string];

interface Joined {
  readonly ports: string;
  readonly addresses: string;
  readonly endpoints: readonly string[];
}

/** What ServiceEntries of one host, the oldest first, make of it: services by their keys. */
function joined(entries: readonly Entry[]): Readonly<Record<string, Joined>> {
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
  const all = services.get(HOST) ?? [];
  return Object.fromEntries(
    all.map(({ key, ports, addresses }) => [
      key,
      {
        ports: ports.map(({ number, protocol }) => `${number}/${protocol}`).join(" "),
        addresses: addresses.join(" "),
        endpoints: (endpoints.get(key) ?? []).map(({ targets }) =>
          targets.map(({ servicePort, address, port }) => `${servicePort}>${address}:${port}`).join(" "),
        ),
      },
    ]),
  );
}

const HTTP = "ports: [{ number: 80, name: http, protocol: HTTP }]";
const TLS = "ports: [{ number: 443, name: tls, protocol: TLS }]";
const BOTH = "ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: tls, protocol: TLS }]";
const at = (address: string): string => `resolution: STATIC, endpoints: [{ address: ${address} }]`;
const A = `addresses: [192.0.2.1], ${HTTP}, ${at("10.0.0.1")}`;

const table: readonly {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly want: Joined;
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
];
for (const { name, entries, want } of table) {
  test(`of several ServiceEntries for a host, ${name}`, () => {
    assert.deepEqual(joined(entries), { [`default/${HOST}/static`]: want });
  });
}

test("ServiceEntries of a host in other namespaces, for others, or reached in another way are services of their own", () => {
  const other = (key: string): readonly [string, Joined] => [
    key,
    {
      ports: "443/tls",
      addresses: "192.0.2.2",
      endpoints: key.includes("/dns") ? [`443>${HOST}:443`] : ["443>10.0.0.2:443"],
    },
  ];
  const TWO = `addresses: [192.0.2.2], ${TLS}`;
  assert.deepEqual(
    joined([
      A,
      `${TWO}, resolution: DNS`,
      `${TWO}, exportTo: ["."], ${at("10.0.0.2")}`,
      [`${TWO}, ${at("10.0.0.2")}`, "shop"],
    ]),
    Object.fromEntries([
      [`default/${HOST}/static`, { ports: "80/http", addresses: "192.0.2.1", endpoints: ["80>10.0.0.1:80"] }],
      other(`default/${HOST}/dns`),
      other(`default/${HOST}/static/.`),
      other(`shop/${HOST}/static`),
    ]),
  );
});
