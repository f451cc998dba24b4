import { FAKE_NOW } from "../../../test/fakes/admin-deps.ts";
import { object, testAnalysis, workload } from "../../../test/harness/analysis.ts";
import { mint, mintRoot } from "../../../test/harness/test-certificates.ts";

const EDGE = workload("edge", "labels: { istio: ingress }");

function gateway(name: string, servers: string, selector = "{ istio: ingress }"): string {
  return object("Gateway", name, `{ selector: ${selector}, servers: [${servers}] }`);
}

function http(hosts: string, more = "port: { number: 80, name: http, protocol: HTTP }"): string {
  return `{ ${more}, hosts: [${hosts}] }`;
}

function https(credential: string, port = 443): string {
  return `{ port: { number: ${port}, name: https-${port}, protocol: HTTPS }, hosts: ["${credential}${port}.example.com"], tls: { mode: SIMPLE, credentialName: ${credential} } }`;
}

const DAY_MS = 86_400_000;
const good = mint({ issuer: mintRoot(), notBeforeMs: FAKE_NOW - DAY_MS, notAfterMs: FAKE_NOW + DAY_MS });
const expired = mint({
  issuer: mintRoot(),
  notBeforeMs: FAKE_NOW - 2 * DAY_MS,
  notAfterMs: FAKE_NOW - DAY_MS,
});

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function secret(name: string, certificate: string, key: string): string {
  return `apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: { name: ${name} }
data: { tls.crt: ${base64(certificate)}, tls.key: ${base64(key)} }
`;
}

testAnalysis([
  {
    name: "Gateways with workloads and hosts of their own are fine",
    objects: [
      EDGE,
      gateway("a", http('"a.example.com"')),
      gateway("b", http('"b.example.com"')),
      gateway("c", http('"a.example.com"', "port: { number: 8080, name: http, protocol: HTTP }")),
    ],
    want: [],
  },
  {
    name: "a Gateway without a workload",
    objects: [gateway("a", http('"*"'))],
    want: ["IST0101 Gateway default/a: labels istio=ingress"],
  },
  {
    name: "two Gateways for one host at one port of the same workloads",
    objects: [EDGE, gateway("a", http('"a.example.com"')), gateway("b", http('"*.example.com"'))],
    want: [
      "IST0145 Gateway default/a: default/b claims a.example.com at port 80 of istio=ingress too",
      "IST0145 Gateway default/b: default/a claims *.example.com",
    ],
  },
  {
    name: "two Gateways of which one selects some of the workloads of the other",
    objects: [
      workload("edge", "labels: { istio: ingress, tier: a }"),
      gateway("a", http('"a.example.com"')),
      gateway("b", http('"a.example.com"')).replace("istio: ingress", "istio: ingress, tier: a"),
      gateway("c", http('"a.example.com"')).replace("istio: ingress", "tier: a"),
    ],
    want: [
      "IST0145 Gateway default/a: default/b, default/c claims a.example.com",
      "IST0145 Gateway default/b: default/a, default/c claims a.example.com",
      "IST0145 Gateway default/c: default/a, default/b claims a.example.com",
    ],
  },
  {
    name: "the same host of different namespaces, or on different workloads, is no conflict",
    objects: [
      EDGE,
      workload("other", "labels: { istio: other }", "10.1.0.2"),
      gateway("a", http('"one/a.example.com"')),
      gateway("b", http('"two/a.example.com"')),
      gateway("c", http('"one/a.example.com"'), "{ istio: other }"),
    ],
    want: [],
  },
  {
    name: "a port that the service in front of the gateway does not have",
    objects: [
      EDGE,
      object(
        "ServiceEntry",
        "ingress",
        "{ hosts: [ingress.default.svc.cluster.local], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], workloadSelector: { labels: { istio: ingress } } }",
      ),
      gateway("a", http('"*"', "port: { number: 8080, name: http, protocol: HTTP }")),
      gateway("b", http('"*"')),
    ],
    want: ["IST0162 Gateway default/b: has port 80"],
  },
  {
    name: "Secrets that are there, missing, expired, or without a certificate",
    objects: [
      EDGE,
      secret("good", good.pem, good.keyPem),
      secret("expired", expired.pem, expired.keyPem),
      `apiVersion: v1\nkind: Secret\nmetadata: { name: roots }\ndata: { ca.crt: ${base64(good.pem)} }\n`,
      gateway(
        "a",
        [https("good"), https("expired", 444), https("roots", 445), https("none", 446)].join(", "),
      ),
    ],
    want: [
      "IST0161 Gateway default/a: Secret default/expired has a certificate that expired",
      "IST0161 Gateway default/a: Secret default/roots has no certificate",
      "IST0101 Gateway default/a: no Secret default/none",
    ],
  },
  {
    name: "a Secret is looked for in the namespace of the gateway's workloads",
    objects: [
      object(
        "WorkloadEntry",
        "edge",
        "{ address: 10.1.0.1, serviceAccount: edge, labels: { istio: ingress } }",
        "namespace: edge",
      ),
      secret("good", good.pem, good.keyPem),
      gateway("a", https("good")),
    ],
    want: ["IST0101 Gateway default/a: no Secret edge/good"],
  },
  {
    name: "one certificate in two Gateways of the same workloads",
    objects: [
      EDGE,
      secret("good", good.pem, good.keyPem),
      gateway("a", https("good")),
      gateway("b", https("good", 444)),
    ],
    want: [
      "IST0138 Gateway default/a: default/b has the same certificate",
      "IST0138 Gateway default/b: default/a has the same certificate",
    ],
  },
]);
