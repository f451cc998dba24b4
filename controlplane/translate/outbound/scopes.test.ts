import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workload } from "../../../mesh/model/workload.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { explainWith } from "../../simulate/explain-workload.ts";
import { createTranslator } from "../translator.ts";

const FOREIGN = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: foreign, namespace: net }
spec:
  hosts: [nowhere.example.com, "*.nowhere.example.org"]
  http: [{ route: [{ destination: { host: reviews.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: other-foreign, namespace: shop }
spec:
  hosts: [elsewhere.example.com]
  http: [{ route: [{ destination: { host: details.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings, namespace: shop }
spec:
  hosts: [ratings.default.svc.cluster.local]
  http: [{ route: [{ destination: { host: details.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web, namespace: net }
spec:
  hosts: [web.example.com]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS
---`;

function sidecar(hosts: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: { egress: [{ hosts: [${hosts}] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
---`;
}

const PROXY = { address: "127.0.0.1", port: 15_080 };
const bind = { address: "127.0.0.1", port: 8080 };
const CAPTURED = { discovery: "mesh", interception: "redirect" } as const;

/** What the workload `web` of `default` gets, and how its calls fare. */
function mesh(over: Partial<Workload>, yaml = "", asked: readonly string[] = []) {
  const state = sampleState({
    yaml: FOREIGN + yaml,
    workloads: [workload("web", over), ...["reviews", "details", "ratings"].map((name) => workload(name))],
  });
  state.setObserved("default/web-1", asked);
  const { snapshot, changed } = state.next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  const types = translator.preview("default/web-1")?.types;
  const report = translator.publish(snapshot, new Set());
  assert.deepEqual(report.failures, []);
  const clusters = [...(types?.get(TYPE_URL.cluster)?.keys() ?? [])].flatMap(
    (name) => /^outbound\|.*\|([^|.]+)[^|]*$/.exec(name)?.[1] ?? [],
  );
  const explained = (to: string) =>
    explainWith(snapshot, translator, "default/web-1", { to, method: "GET", headers: [] });
  return {
    report,
    clusters: clusters.sort().join(" "),
    /** Where a call leaves the mesh, or why it does not. */
    left(to: string): string {
      const outcome = explained(to)?.outcome;
      return outcome?.kind === "passthrough"
        ? outcome.text.replace("passes through to ", "")
        : `${outcome?.status ?? outcome?.kind}`;
    },
    /** Where a call ends: a cluster, or why it does not arrive. */
    ends(to: string): string {
      const reply = explained(to);
      const cluster = reply?.steps.find(({ step }) => step === "cluster")?.name.split("|")[3];
      return cluster?.split(".")[0] ?? `${reply?.outcome.status ?? reply?.outcome.kind}`;
    },
  };
}

test("the destinations of a host that only a VirtualService has are brought in by the Sidecar that imports it", () => {
  const narrow = mesh(CAPTURED, sidecar('"net/*"'));
  assert.equal(narrow.clusters, "reviews web");
  assert.equal(narrow.ends("http://nowhere.example.com/"), "reviews");
  assert.equal(narrow.ends("http://a.nowhere.example.org/"), "reviews");
  assert.equal(narrow.ends("http://elsewhere.example.com/"), "502");
});

test("a proxy for unknown hosts that is not there is told, and calls to them fail", () => {
  const through = (host: string, port: number) =>
    mesh(
      CAPTURED,
      sidecar('"net/*"').replace(
        "mode: REGISTRY_ONLY",
        `mode: ALLOW_ANY, egressProxy: { host: ${host}, port: { number: ${port} } }`,
      ),
    );
  const told = ({ report }: ReturnType<typeof mesh>): readonly string[] =>
    report.warnings
      .filter(({ subject }) => subject === "Sidecar/default/default")
      .map(({ message }) => message.replace("spec.outboundTrafficPolicy.egressProxy: ", ""));
  const nobody = through("nobody", 9080);
  assert.deepEqual(told(nobody), ["there is no service nobody; calls to unknown hosts fail"]);
  assert.equal(nobody.ends("http://unknown.example.com/"), "503");
  assert.match(
    told(through("reviews", 1))[0] ?? "",
    /reviews\S* has no port 1 .*; calls to unknown hosts fail/,
  );
  const there = through("reviews", 9080);
  assert.deepEqual(told(there), []);
  assert.equal(there.ends("http://unknown.example.com/"), "reviews");
});

const IMPORTS: readonly (readonly [hosts: string, clusters: string, ends: string])[] = [
  // `ends`: where calls to nowhere, elsewhere and ratings end.
  ['"*/*"', "details ratings reviews web web", "reviews details details"],
  ['"net/web.example.com"', "web", "502 502 black-hole"],
  ['"net/web.example.com", "net/nowhere.example.com"', "reviews web", "reviews 502 black-hole"],
  ['"net/web.example.com", "shop/*"', "details web", "502 details black-hole"],
  ['"net/web.example.com", "./ratings.default.svc.cluster.local"', "ratings web", "502 502 ratings"],
  [
    '"./ratings.default.svc.cluster.local", "shop/*", "net/*"',
    "details ratings reviews web",
    "reviews details details",
  ],
  [
    '"*/*", "~shop/*", "~net/nowhere.example.com", "~net/*.example.org"',
    "details ratings reviews web web",
    "502 502 ratings",
  ],
];
for (const [hosts, clusters, ends] of IMPORTS) {
  test(`a Sidecar with the egress ${hosts} has clusters of ${clusters}`, () => {
    const scoped = mesh(CAPTURED, sidecar(hosts));
    assert.equal(scoped.clusters, clusters);
    const calls = ["http://nowhere.example.com/", "http://elsewhere.example.com/", "http://ratings:9080/"];
    assert.equal(calls.map((to) => scoped.ends(to)).join(" "), ends);
  });
}

const BY_NAME = `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: { outboundTrafficPolicy: { mode: ALLOW_ANY_DYNAMIC_DNS } }
---`;

test("what the mesh does not know is called by its name, where the MeshConfig says so and no Sidecar otherwise", () => {
  const calls = ["http://elsewhere.test:9080/", "http://elsewhere.test:7777/", "tcp://elsewhere.test:7777"];
  const ways = [CAPTURED, { discovery: "mesh", httpProxy: PROXY }] as const;
  const [captured, proxied] = ways.map((way) => calls.map((to) => mesh(way, BY_NAME).left(to)));
  assert.deepEqual(captured, ["elsewhere.test:9080", "elsewhere.test:7777", "192.0.2.1:7777"]);
  assert.deepEqual(proxied, ["elsewhere.test:9080", "elsewhere.test:7777", "no-listener"]);
  const narrow = mesh(CAPTURED, BY_NAME + sidecar('"*/*"'));
  assert.deepEqual(
    calls.map((to) => narrow.left(to)),
    ["502", "black-hole", "black-hole"],
  );
});

const SEVERAL = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: several, namespace: net }
spec:
  hosts: [web.example.com, details.default.svc.cluster.local, third.example.com]
  http: [{ route: [{ destination: { host: ratings.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: more-web, namespace: net }
spec:
  hosts: [web.example.com]
  ports: [{ number: 8080, name: http-more, protocol: HTTP }]
  resolution: DNS
---`;

const OTHERS: readonly (readonly [what: string, to: string, alone: string, all: string])[] = [
  ["a host of no registry, at port 80", "http://third.example.com/", "ratings", "ratings"],
  ["and at the other port of the service", "http://third.example.com:8080/", "ratings", "ratings"],
  [
    "a service that is not imported, at port 80",
    "http://details.default.svc.cluster.local:80/",
    "ratings",
    "ratings",
  ],
  ["and by its short name", "http://details:80/", "ratings", "ratings"],
  [
    "at the port of the other service",
    "http://details.default.svc.cluster.local:8080/",
    "ratings",
    "ratings",
  ],
  ["at its own port, where none of the imported is", "http://details:9080/", "black-hole", "ratings"],
  [
    "a host of no registry, where the service is not",
    "http://third.example.com:9080/",
    "black-hole",
    "ratings",
  ],
];
test("a Sidecar that imports one host of a VirtualService has its others, and the destinations", () => {
  assert.equal(mesh(CAPTURED, SEVERAL + sidecar('"net/web.example.com"')).clusters, "ratings web web");
});
for (const [what, to, alone, all] of OTHERS) {
  test(`beside the one host of a VirtualService that a Sidecar imports: ${what} (${alone})`, () => {
    assert.equal(mesh(CAPTURED, SEVERAL + sidecar('"net/web.example.com"')).ends(to), alone);
    assert.equal(mesh(CAPTURED, SEVERAL + sidecar('"*/*"')).ends(to), all);
  });
}

test("a declared upstream of such a host has a way, and its destinations are brought in; others are not", () => {
  const declared = mesh({ upstreams: [{ host: "nowhere.example.com", port: 80, bind }] });
  assert.equal(declared.clusters, "reviews");
  assert.equal(declared.ends("http://nowhere.example.com/"), "reviews");
  const wild = mesh({ upstreams: [{ host: "A.nowhere.example.org", port: 80, bind }] });
  assert.equal(wild.ends("http://A.nowhere.example.org/"), "reviews");
});

test("a declared upstream of such a host at another port than 80 leads nowhere, and a warning says so", () => {
  const { clusters, report } = mesh({ upstreams: [{ host: "nowhere.example.com", port: 81, bind }] });
  assert.equal(clusters, "");
  assert.deepEqual(report.failures, []);
});

test("unless the VirtualService has a service there", () => {
  const at = (port: number) => mesh({ upstreams: [{ host: "third.example.com", port, bind }] }, SEVERAL);
  assert.equal(at(8080).clusters, "ratings");
  assert.equal(at(8080).ends("http://third.example.com:8080/"), "ratings");
  assert.equal(at(8081).clusters, "");
});

test("an HTTP proxy of declared upstreams knows the hosts that are declared", () => {
  const upstreams = [{ host: "nowhere.example.com", port: 80, bind }];
  const proxied = mesh({ upstreams, httpProxy: PROXY });
  assert.equal(proxied.clusters, "reviews");
  assert.equal(proxied.ends("http://nowhere.example.com/"), "reviews");
  assert.equal(proxied.ends("http://elsewhere.example.com/"), "502");
});

test("what is asked for on demand may be such a host: its destinations come with it", () => {
  const over = { discovery: "on-demand", httpProxy: PROXY } as const;
  assert.equal(mesh(over).clusters, "");
  assert.equal(mesh(over, "", ["http_proxy/nowhere.example.com"]).clusters, "reviews");
  assert.equal(mesh(over, "", ["http_proxy/b.nowhere.example.org:80"]).clusters, "reviews");
  assert.equal(mesh(over, "", ["http_proxy/nowhere.example.com:81", "http_proxy/nobody.test"]).clusters, "");
  assert.equal(mesh(over, SEVERAL, ["http_proxy/third.example.com:8080"]).clusters, "ratings");
  assert.equal(mesh(over, SEVERAL, ["http_proxy/third.example.com:8081"]).clusters, "");
});

test("the Sidecar of a workload decides for its declared upstreams too which VirtualServices count", () => {
  const upstreams = [{ host: "ratings", port: 9080, bind }];
  const over = { ...CAPTURED, upstreams };
  assert.equal(mesh(over).ends("http://ratings:9080/"), "details");
  assert.equal(mesh(over, sidecar('"./*"')).ends("http://ratings:9080/"), "ratings");
  assert.equal(
    mesh(over, sidecar('"./ratings.default.svc.cluster.local", "shop/*"')).ends("http://ratings:9080/"),
    "details",
  );
  assert.equal(mesh(over, sidecar('"shop/*"')).ends("http://ratings:9080/"), "black-hole");
});
