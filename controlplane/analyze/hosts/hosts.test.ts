import { object, service, testAnalysis, workload } from "../../../test/harness/analysis.ts";

function entry(name: string, hosts: string, more: string): string {
  return object("ServiceEntry", name, `{ hosts: [${hosts}], ${more} }`);
}

const TCP = "ports: [{ number: 5432, name: tcp, protocol: TCP }]";

testAnalysis([
  {
    name: "a service with an endpoint that has an identity is fine",
    objects: [service("reviews")],
    want: [],
  },
  {
    name: "endpoints of the mesh without an identity",
    objects: [
      object("WorkloadEntry", "bare", "{ address: 10.0.0.9 }"),
      object(
        "WorkloadEntry",
        "plain",
        "{ address: 10.0.0.8, labels: { security.istio.io/tlsMode: disabled } }",
      ),
      entry(
        "db",
        "db.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ${TCP}, endpoints: [{ address: 10.0.0.7 }, { address: 10.0.0.6, serviceAccount: db }]`,
      ),
      entry("out", "out.example.com", `resolution: STATIC, ${TCP}, endpoints: [{ address: 10.0.0.5 }]`),
    ],
    want: [
      "LAT0001 WorkloadEntry default/bare: 10.0.0.9 has no serviceAccount",
      "LAT0001 ServiceEntry default/db: 10.0.0.7 has no serviceAccount",
    ],
  },
  {
    name: "a network without a gateway",
    objects: [
      workload("near", "labels: { app: a }"),
      workload("far", "network: far, labels: { app: a }", "10.1.0.2"),
      workload("east", "network: east, labels: { app: a }", "10.1.0.3"),
      workload("west", "network: west, labels: { app: a }", "10.1.0.4"),
      object(
        "WorkloadEntry",
        "gw",
        "{ address: 10.1.0.5, network: west, serviceAccount: gw, labels: { istio: eastwest } }",
      ),
      object(
        "MeshConfig",
        "mesh",
        "{ networks: { east: { endpoints: [{ fromCidr: 10.0.0.0/8 }], gateways: [{ address: 1.2.3.4, port: 15443 }] } } }",
      ),
      object(
        "Gateway",
        "eastwest",
        "{ selector: { istio: eastwest }, servers: [{ port: { number: 15443, name: tls, protocol: TLS }, hosts: ['*.local'], tls: { mode: AUTO_PASSTHROUGH } }] }",
      ),
    ],
    want: ["LAT0002 WorkloadEntry default/far: network far has no gateway"],
  },
  {
    name: "one network for everybody needs no gateway",
    objects: [workload("a", "network: one"), workload("b", "network: one", "10.1.0.2")],
    want: [],
  },
  {
    name: "one address for two workloads",
    objects: [workload("a", "labels: { app: a }"), workload("b", "labels: { app: b }")],
    want: [
      "LAT0003 WorkloadEntry default/a: 10.1.0.1 is also the address of WorkloadEntry default/b",
      "LAT0003 WorkloadEntry default/b: WorkloadEntry default/a",
    ],
  },
  {
    name: "one address in two networks, or with ports that differ, is fine",
    objects: [
      workload("a", "network: one"),
      workload("b", "labels: { app: b }"),
      workload("c", "labels: { app: c }"),
      entry(
        "b",
        "b.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ${TCP}, workloadSelector: { labels: { app: b } }`,
      ),
      entry(
        "c",
        "c.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ${TCP.replace("5432", "5433")}, workloadSelector: { labels: { app: c } }`,
      ),
    ],
    want: ["LAT0002 WorkloadEntry default/a: network one"],
  },
  {
    name: "one service address for two services, where TCP cannot tell them apart",
    objects: [
      entry("a", "a.example.com", `addresses: [10.9.0.1], resolution: DNS, ${TCP}`),
      entry("b", "b.example.com", `addresses: [10.9.0.1], resolution: DNS, ${TCP}`),
      entry(
        "c",
        "c.example.com",
        "addresses: [10.9.0.1], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }]",
      ),
      entry(
        "d",
        "d.example.com",
        "addresses: [10.9.0.1], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }]",
      ),
    ],
    want: [
      "LAT0004 ServiceEntry default/a: ServiceEntry default/b has the address 10.9.0.1",
      "LAT0004 ServiceEntry default/b: default/a",
    ],
  },
  {
    name: "an IP address where names are looked up",
    objects: [
      entry(
        "a",
        "a.example.com",
        `resolution: DNS, ${TCP}, endpoints: [{ address: 10.0.0.1 }, { address: db.example.com }]`,
      ),
    ],
    want: ["LAT0005 ServiceEntry default/a: 10.0.0.1 needs no DNS"],
  },
  {
    name: "a probe of a port that is not registered",
    objects: [
      object(
        "WorkloadGroup",
        "a",
        "{ template: { serviceAccount: a, ports: { http: 8080 } }, probe: { httpGet: { port: 9090 } } }",
      ),
      object(
        "WorkloadGroup",
        "b",
        "{ template: { serviceAccount: b, ports: { http: 8080 } }, probe: { tcpSocket: { port: 8080 } } }",
      ),
      object(
        "WorkloadGroup",
        "elsewhere",
        "{ template: { ports: { http: 8080 } }, probe: { httpGet: { host: 10.0.0.9, port: 9090 } } }",
      ),
      object("WorkloadGroup", "c", "{ template: { serviceAccount: c }, probe: { grpc: { port: 9090 } } }"),
      object(
        "WorkloadGroup",
        "d",
        "{ template: { serviceAccount: d, ports: { http: 1 } }, probe: { exec: { command: [true] } } }".replace(
          "[true]",
          "[/bin/true]",
        ),
      ),
    ],
    want: ["LAT0006 WorkloadGroup default/a: asks port 9090, and the template has 8080"],
  },
  {
    name: "a port that is in no service of the workload",
    objects: [
      service("reviews"),
      workload("reviews-2", "labels: { app: reviews }, ports: { http: 8080, admin: 9901 }"),
      workload("alone", "ports: { http: 8080 }", "10.1.0.9"),
    ],
    want: ["LAT0007 WorkloadEntry default/reviews-2: port admin (9901) is in no service"],
  },
  {
    name: "a service whose selector finds nobody",
    objects: [
      entry(
        "a",
        "a.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ${TCP}, workloadSelector: { labels: { app: a } }`,
      ),
    ],
    want: ["LAT0010 ServiceEntry default/a: labels app=a: the service has no endpoint"],
  },
  {
    name: "one host in two ServiceEntries, with a port of two meanings",
    objects: [
      entry("a", "db.example.com", `resolution: DNS, ${TCP}`),
      entry("b", "DB.example.com", "resolution: DNS, ports: [{ number: 5432, name: http, protocol: HTTP }]"),
      entry("c", "db.example.com", `resolution: STATIC, ${TCP.replace("5432", "1")}, addresses: [10.9.0.9]`),
    ],
    want: [
      "IST0177 ServiceEntry default/a: port 5432 of db.example.com is tcp here",
      "IST0177 ServiceEntry default/b: is http here and something else in default/a",
      "LAT0011 ServiceEntry default/c: ServiceEntry default/a, which comes first",
    ],
  },
  {
    name: "a port of two meanings in namespaces that do not see each other's",
    objects: [
      entry("a", "db.example.com", `exportTo: [.], resolution: DNS, ${TCP}`),
      entry(
        "b",
        "db.example.com",
        "exportTo: [shop], resolution: DNS, ports: [{ number: 5432, name: http, protocol: HTTP }]",
      ),
    ],
    want: [],
  },
  {
    name: "one host of two teams, and a namespace that describes it for itself and for the others",
    objects: [
      entry("a", "db.example.com", `resolution: DNS, ${TCP}`),
      object("ServiceEntry", "b", `{ hosts: [db.example.com], resolution: DNS, ${TCP} }`, "namespace: shop"),
      entry("c", "db.example.com", `exportTo: ["."], resolution: DNS, ${TCP}`),
    ],
    want: [],
  },
  {
    name: "a ServiceEntry that is had by nobody who may see it",
    objects: [
      entry("a", "db.example.com", `exportTo: [".", shop], resolution: DNS, ${TCP}`),
      entry("b", "db.example.com", `exportTo: [shop], resolution: DNS, ${TCP}`),
      entry("c", "db.example.com", `exportTo: ["~"], resolution: DNS, ${TCP}`),
    ],
    want: ["LAT0011 ServiceEntry default/b: ServiceEntry default/a, which comes first"],
  },
  {
    name: "a TCP port of a service that gets no address",
    objects: [
      entry("a", "'*.example.com'", `resolution: NONE, ${TCP}`),
      entry("b", "b.example.com", `resolution: NONE, ${TCP.replace("5432", "1")}, addresses: [10.9.0.1]`),
      entry("c", "c.example.com", `resolution: DNS, ${TCP.replace("5432", "2")}`),
    ],
    want: ["IST0134 ServiceEntry default/a: TCP port needs addresses"],
  },
  {
    name: "a port for which nobody says what it speaks",
    objects: [
      entry(
        "a",
        "a.example.com",
        "resolution: DNS, ports: [{ number: 80, name: web }, { number: 81, name: http-admin }, { number: 82, name: third, protocol: HTTP }]",
      ),
    ],
    want: [
      "IST0118 ServiceEntry default/a: port web (80) has no protocol",
      "IST0118 ServiceEntry default/a: port http-admin (81) has no protocol: it is found out from the first bytes, whatever its name says",
    ],
  },
  {
    name: "two services that lead to one port under different numbers",
    objects: [
      workload("a", "labels: { app: a }"),
      entry(
        "one",
        "one.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], workloadSelector: { labels: { app: a } }`,
      ),
      entry(
        "two",
        "two.example.com",
        `location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 81, name: http, protocol: HTTP, targetPort: 8080 }], workloadSelector: { labels: { app: a } }`,
      ),
    ],
    want: ["IST0137 WorkloadEntry default/a: default/one:80, default/two:81 lead to its port 8080"],
  },
  {
    name: "two MeshConfigs",
    objects: [object("MeshConfig", "a", "{}"), object("MeshConfig", "b", "{}")],
    want: ["LAT0009 MeshConfig default/b: MeshConfig default/a comes first"],
  },
  {
    name: "a network of a registry that there is not",
    objects: [
      object(
        "MeshConfig",
        "a",
        "{ networks: { east: { endpoints: [{ fromRegistry: kubernetes }], gateways: [{ address: 1.2.3.4, port: 15443 }] }, west: { endpoints: [{ fromRegistry: consul }], gateways: [{ address: 1.2.3.5, port: 15443 }] } } }",
      ),
    ],
    want: ["IST0126 MeshConfig default/a: network east names the registry kubernetes"],
  },
]);
