import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";

const HTTPS = { number: 443, name: "https", protocol: "HTTPS" };
const TCP = { number: 27017, name: "mongo", protocol: "mongo" };
const endpoint = {
  ports: {},
  labels: {},
  network: "",
  locality: "",
  weight: 1,
  serviceAccount: "",
};

const good: readonly GoodCase<"ServiceEntry">[] = [
  {
    name: "an external API by DNS",
    spec: { hosts: ["www.googleapis.com"], ports: [HTTPS], resolution: "DNS", location: "MESH_EXTERNAL" },
    want: {
      hosts: ["www.googleapis.com"],
      addresses: [],
      ports: [{ number: 443, name: "https", protocol: "tls", targetPort: undefined }],
      location: "MESH_EXTERNAL",
      resolution: "DNS",
      endpoints: [],
      workloadSelector: undefined,
      exportTo: [],
      subjectAltNames: [],
    },
  },
  {
    name: "hosts in the mesh at fixed addresses",
    spec: {
      hosts: ["mongo.example.com"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [TCP, { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
      endpoints: [
        {
          address: "10.0.0.1",
          ports: { http: 9090 },
          labels: { version: "v1" },
          weight: 5,
          serviceAccount: "mongo",
        },
        { address: "fd00::1" },
      ],
    },
    want: {
      ports: [
        { number: 27017, name: "mongo", protocol: "mongo", targetPort: undefined },
        { number: 80, name: "http", protocol: "http", targetPort: 8080 },
      ],
      endpoints: [
        {
          ...endpoint,
          address: "10.0.0.1",
          ports: { http: 9090 },
          labels: { version: "v1" },
          weight: 5,
          serviceAccount: "mongo",
        },
        { ...endpoint, address: "fd00::1" },
      ],
    },
  },
  {
    name: "workloads by label",
    spec: {
      hosts: ["details.vm"],
      ports: [{ number: 9080, name: "http", protocol: "grpc-web" }],
      resolution: "STATIC",
      workloadSelector: { labels: { app: "details" } },
    },
    want: { workloadSelector: { app: "details" } },
  },
  {
    name: "wildcards and ranges where no address is made up",
    spec: { hosts: ["*.example.com", "a.example.org"], addresses: ["10.1.0.0/16", "fd00::/8"], ports: [TCP] },
    want: { resolution: "NONE" },
  },
  {
    name: "a unix socket",
    spec: {
      hosts: ["local.example.com"],
      ports: [TCP],
      resolution: "STATIC",
      endpoints: [{ address: "unix:///run/mongo.sock" }],
    },
  },
  {
    name: "a wildcard that is resolved for each call",
    spec: {
      hosts: ["*.example.com"],
      ports: [
        { number: 443, name: "tls", protocol: "TLS" },
        { number: 80, name: "http", protocol: "http2" },
      ],
      resolution: "DYNAMIC_DNS",
    },
    want: { resolution: "DYNAMIC_DNS" },
  },
  {
    name: "one of the addresses of a name at a time, and nowhere seen",
    spec: {
      hosts: ["a.example.com"],
      ports: [{ number: 80, name: "HTTP", protocol: "" }],
      resolution: "DNS_ROUND_ROBIN",
      endpoints: [{ address: "b.example.com" }],
      exportTo: ["~"],
      subjectAltNames: ["spiffe://a/ns/b/sa/c"],
    },
    want: {
      ports: [{ number: 80, name: "HTTP", protocol: "auto", targetPort: undefined }],
      resolution: "DNS_ROUND_ROBIN",
      exportTo: ["~"],
      subjectAltNames: ["spiffe://a/ns/b/sa/c"],
    },
  },
  {
    name: "an endpoint that only its network's gateway reaches",
    spec: {
      hosts: ["a.example.com"],
      ports: [HTTPS],
      resolution: "STATIC",
      endpoints: [{ network: "vm", ports: { https: 444 } }],
    },
    want: { endpoints: [{ ...endpoint, address: "", network: "vm", ports: { https: 444 } }] },
    warnings: [["spec.endpoints[0]", "through the gateway of its network"]],
  },
  {
    name: "UDP ports are left out, also where an endpoint names them",
    spec: {
      hosts: ["dns.example.com"],
      ports: [HTTPS, { number: 53, name: "dns", protocol: "udp" }],
      resolution: "STATIC",
      endpoints: [{ address: "10.0.0.1", ports: { dns: 5353 } }],
    },
    want: { ports: [{ number: 443, name: "https", protocol: "tls", targetPort: undefined }] },
    warnings: [["spec.ports[1].protocol", "UDP is left out"]],
  },
  {
    name: "what is hardly meant",
    spec: { hosts: ["*x.example.com"], workloadSelector: {} },
    want: { ports: [], workloadSelector: {} },
    warnings: [
      ["spec.ports", "is empty"],
      ["spec.hosts[0]", "wildcard for a part of a label"],
      ["spec.workloadSelector", "no labels"],
      ["spec.workloadSelector", "nothing with resolution NONE"],
    ],
  },
  {
    name: "several hosts at one address, over TLS",
    spec: {
      hosts: ["a.example.com", "b.example.com"],
      addresses: ["10.0.0.1"],
      ports: [HTTPS],
      resolution: "DNS",
    },
    warnings: [["spec.addresses", "shared by several hosts"]],
  },
];

function many<T>(length: number, make: (index: number) => T): readonly T[] {
  return Array.from({ length }, (_, index) => make(index));
}

function entry(fields: object): object {
  return { hosts: ["a.example.com"], ports: [HTTPS], resolution: "DNS", ...fields };
}

const bad: readonly BadCase[] = [
  {
    name: "nothing in it",
    spec: {},
    errors: [["spec.hosts", "is required"]],
  },
  { name: "no host", spec: entry({ hosts: [] }), errors: [["spec.hosts", "at least 1 entry"]] },
  { name: "every host", spec: entry({ hosts: ["*"] }), errors: [["spec.hosts[0]", "must not be `*` alone"]] },
  {
    name: "a wildcard by DNS without endpoints",
    spec: entry({ hosts: ["*.example.com"] }),
    errors: [["spec.hosts[0]", "must not have a wildcard with resolution DNS"]],
  },
  {
    name: "ports twice, without a name, of unknown or unproxied protocols",
    spec: entry({ ports: [HTTPS, { ...HTTPS, name: "other" }, { ...HTTPS, number: 444 }] }),
    errors: [
      ["spec.ports[1].number", "a second time"],
      ["spec.ports[2].name", "a second time"],
    ],
  },
  {
    name: "ports that are none",
    spec: entry({
      ports: [
        { number: 0, name: "a" },
        { number: 1 },
        { number: 2, name: "b", protocol: "HTTPX" },
        { number: 3, name: "c d" },
        { number: 4, name: "d", targetPort: 65536 },
      ],
    }),
    errors: [
      ["spec.ports[0].number", "at least 1"],
      ["spec.ports[1].name", "is required"],
      ["spec.ports[2].protocol", "did you mean `HTTP`?"],
      ["spec.ports[3].name", "is not a DNS label"],
      ["spec.ports[4].targetPort", "at most 65535"],
    ],
  },
  {
    name: "addresses that are none, and a range by DNS",
    spec: entry({ addresses: ["10.0.0.0/8"] }),
    errors: [["spec.addresses[0]", "must not be a range with resolution DNS"]],
  },
  {
    name: "addresses that are none",
    spec: entry({ addresses: ["10.0.0.256", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.0/"] }),
    errors: [0, 1, 2, 3].map((index) => [`spec.addresses[${index}]`, "is not an IP address"] as const),
  },
  {
    name: "endpoints and a selector at once",
    spec: entry({ endpoints: [{ address: "b.example.com" }], workloadSelector: { labels: { a: "b" } } }),
    errors: [["spec.workloadSelector", "must not be together with endpoints"]],
  },
  {
    name: "endpoints with resolution NONE",
    spec: entry({ resolution: "NONE", endpoints: [{ address: "10.0.0.1" }] }),
    errors: [["spec.endpoints", "must not be set with resolution NONE"]],
  },
  {
    name: "static endpoints by name, and with an unknown port",
    spec: entry({
      resolution: "STATIC",
      endpoints: [{ address: "b.example.com" }, { address: "10.0.0.1", ports: { http: 80 } }],
    }),
    errors: [
      ["spec.endpoints[0].address", "must be an IP address"],
      ["spec.endpoints[1].ports.http", "is not a port of this ServiceEntry"],
    ],
  },
  {
    name: "endpoints by DNS that are sockets, or too many",
    spec: entry({
      resolution: "DNS_ROUND_ROBIN",
      endpoints: [{ address: "b.example.com" }, { address: "unix:///a" }],
    }),
    errors: [
      ["spec.endpoints", "at most 1 entry"],
      ["spec.endpoints[1].address", "must be a host name or an IP address"],
    ],
  },
  {
    name: "several ports behind a unix socket, which has ports itself",
    spec: entry({
      resolution: "STATIC",
      ports: [HTTPS, TCP],
      endpoints: [{ address: "unix:///a" }],
    }),
    errors: [["spec.ports", "must be exactly one with a unix:// endpoint"]],
  },
  {
    name: "several hosts on a TCP port, which nothing tells apart",
    spec: entry({
      hosts: ["a.example.com", "b.example.com"],
      addresses: ["10.0.0.1"],
      resolution: "STATIC",
      ports: [HTTPS, TCP, { number: 1, name: "a" }],
    }),
    errors: [
      ["spec.ports[1].protocol", "must not be MONGO when there are several hosts"],
      ["spec.ports[2].protocol", "must not be unsaid when there are several hosts"],
    ],
  },
  {
    name: "more combinations of hosts, ports and endpoints than a server can hold",
    spec: entry({
      hosts: many(50, (index) => `h${index}.example.com`),
      ports: many(50, (index) => ({ number: index + 1, name: `p${index}`, protocol: "HTTP" })),
      resolution: "STATIC",
      endpoints: many(41, (index) => ({ address: `10.0.0.${index}` })),
    }),
    errors: [["spec", "at most 100,000 combinations of hosts, ports and endpoints, not 102,500"]],
  },
  {
    name: "a dynamic name without a wildcard, with what a wildcard cannot have",
    spec: entry({
      resolution: "DYNAMIC_DNS",
      addresses: ["10.0.0.1"],
      endpoints: [{ address: "10.0.0.1" }],
    }),
    errors: [
      ["spec.hosts[0]", "must begin with `*`"],
      ["spec.addresses", "must not be set with resolution DYNAMIC_DNS"],
      ["spec.endpoints", "must not be set with resolution DYNAMIC_DNS"],
      ["spec.ports[0].protocol", "must be one of HTTP, TLS, GRPC, HTTP2"],
    ],
  },
  {
    name: "endpoints by DNS without an address",
    spec: entry({ endpoints: [{ network: "vm" }] }),
    errors: [["spec.endpoints[0].address", "must be a host name or an IP address"]],
  },
  {
    name: "a selector with a wildcard, and exports that contradict themselves",
    spec: entry({ workloadSelector: { labels: { app: "*" } }, exportTo: ["~", "a"] }),
    errors: [
      ["spec.workloadSelector.labels.app", "wildcard"],
      ["spec.exportTo", "`~` must stand alone"],
    ],
  },
  {
    name: "an unknown resolution and location",
    spec: entry({ resolution: "STATICS", location: "EXTERNAL" }),
    errors: [
      ["spec.resolution", "did you mean `STATIC`?"],
      ["spec.location", "must be one of MESH_EXTERNAL, MESH_INTERNAL"],
    ],
  },
  {
    name: "an empty subject alternative name",
    spec: entry({ subjectAltNames: [""] }),
    errors: [["spec.subjectAltNames[0]", "must not be empty"]],
  },
];

testKind("ServiceEntry", "networking.istio.io/v1alpha3", { good, bad });
