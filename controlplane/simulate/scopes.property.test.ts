import assert from "node:assert/strict";
import { test } from "node:test";
import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { Random } from "../../test/harness/random.ts";
import { sidecarScope } from "../policy/egress-scope.ts";
import { importsVirtualService } from "../policy/imports.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { missingReferences } from "../translate/check-references.ts";
import { createTranslator, type Translator } from "../translate/translator.ts";
import { explainWith } from "./explain-workload.ts";

/** Of the client and its neighbours. */
const NAMESPACES = ["shop", "bank", "net"];
const SERVICES = ["a", "b", "c", "d", "e"];
const FOREIGN = ["one.example.com", "two.example.com"];
const KINDS = [
  { protocol: "HTTP", port: 80, scheme: "http" },
  { protocol: "HTTP", port: 8080, scheme: "http" },
  { protocol: "TCP", port: 5432, scheme: "tcp" },
  { protocol: "TLS", port: 443, scheme: "tls" },
  // Nobody says it.
  { protocol: "", port: 7000, scheme: "http" },
  { protocol: "", port: 7001, scheme: "tcp" },
] as const;

interface SampleService {
  readonly host: string;
  readonly namespace: string;
  readonly kind: (typeof KINDS)[number];
}

interface Sample {
  readonly yaml: string;
  /** URLs of all that there is to call. */
  readonly urls: readonly string[];
  readonly upstreams: PlacedWorkload["upstreams"];
}

function exportTo(random: Random): string {
  return random.pick(["", "", "exportTo: ['*'],", "exportTo: ['.'],", "exportTo: [shop],"]);
}

function serviceEntry(random: Random, { host, namespace, kind }: SampleService): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.replaceAll(".", "-")}, namespace: ${namespace} }
spec: { hosts: [${host}], ${exportTo(random)} location: MESH_INTERNAL, resolution: STATIC,
  ports: [{ number: ${kind.port}, name: p, protocol: "${kind.protocol}" }],
  endpoints: [{ address: 10.0.0.${1 + random.below(200)}, labels: { version: v1 } }, { address: 10.0.1.1 }] }
---`;
}

function virtualService(random: Random, index: number, services: readonly SampleService[]): string {
  const namespace = random.pick(NAMESPACES);
  const { kind } = random.pick(services);
  const alike = services.filter((one) => one.kind === kind);
  const hosts = new Set(random.some(alike, 0.5).map(({ host }) => host));
  if (kind.protocol === "HTTP") for (const host of random.some(FOREIGN, 0.5)) hosts.add(host);
  const [first = random.pick(alike).host, ...others] = hosts;
  const all = [first, ...others];
  const subset = random.chance(0.3) ? ", subset: v1" : "";
  const route = `route: [{ destination: { host: ${random.pick(alike).host}${subset} } }]`;
  const rules = {
    HTTP: `http: [{ match: [{ uri: { prefix: /x } }], ${route} }, { ${route.replace(subset, "")} }]`,
    TCP: `tcp: [{ ${route} }]`,
    TLS: `tls: [{ match: [{ sniHosts: [${all.join(", ")}] }], ${route} }]`,
    "": `http: [{ ${route} }], tcp: [{ ${route} }]`,
  }[kind.protocol];
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vs-${index}, namespace: ${namespace} }
spec: { hosts: [${all.join(", ")}], ${exportTo(random)} ${rules} }
---`;
}

function destinationRule(random: Random, index: number, services: readonly SampleService[]): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: dr-${index}, namespace: ${random.pick([...NAMESPACES, "istio-system"])} }
spec: { host: ${random.pick(services).host}, ${exportTo(random)} subsets: [{ name: v1, labels: { version: v1 } }] }
---`;
}

function egressHosts(random: Random, services: readonly SampleService[]): string {
  const one = (): string => {
    const host = random.pick([
      "*",
      random.pick(services).host,
      random.pick(FOREIGN),
      "*.test",
      "*.example.com",
    ]);
    return JSON.stringify(`${random.pick(["*", ".", ...NAMESPACES])}/${host}`);
  };
  const wanted = Array.from({ length: 1 + random.below(3) }, one);
  const unwanted = random.chance(0.3) ? [one().replace('"', '"~')] : [];
  return [...wanted, ...unwanted].join(", ");
}

function sample(random: Random): Sample {
  const services = SERVICES.map((name) => ({
    host: `${name}.test`,
    namespace: random.pick(NAMESPACES),
    kind: random.pick(KINDS),
  }));
  const many = <T>(make: (index: number) => T): T[] =>
    Array.from({ length: 1 + random.below(4) }, (_, index) => make(index));
  const ported = random.chance(0.3)
    ? `{ port: { number: 80, protocol: HTTP, name: http }, hosts: [${egressHosts(random, services)}] }, `
    : "";
  const policy = random.chance(0.5) ? ", outboundTrafficPolicy: { mode: REGISTRY_ONLY }" : "";
  const yaml = [
    ...services.map((one) => serviceEntry(random, one)),
    ...many((index) => virtualService(random, index, services)),
    ...many((index) => destinationRule(random, index, services)),
    `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow, namespace: shop }
spec: { workloadSelector: { labels: { app: narrow } }, egress: [${ported}{ hosts: [${egressHosts(random, services)}] }]${policy} }
`,
  ].join("");
  const called = [
    ...services.map(({ host, kind }) => ({ host, port: kind.port, scheme: kind.scheme })),
    ...FOREIGN.map((host) => ({ host, port: 80, scheme: "http" })),
  ];
  return {
    yaml,
    urls: called.map(({ host, port, scheme }) => `${scheme}://${host}:${port}`),
    upstreams: random.some(called, 0.4).map(({ host, port }, index) => {
      return { host, port, bind: { address: "127.0.0.1", port: 9100 + index } };
    }),
  };
}

const CAPTURED = { namespace: "shop", ports: [], interception: "redirect" } as const;
const WIDE = "shop/wide-1";
const NARROW = ["shop/narrow-1", "shop/declared-1", "shop/lazy-1"];

interface Mesh {
  readonly snapshot: MeshSnapshot;
  readonly translator: Translator;
  readonly urls: readonly string[];
}

function meshOf(random: Random): Mesh {
  const { yaml, urls, upstreams } = sample(random);
  const state = sampleState({
    yaml,
    workloads: [
      workload("wide", { ...CAPTURED, discovery: "mesh" }),
      workload("narrow", { ...CAPTURED, discovery: "mesh" }),
      workload("declared", { ...CAPTURED, upstreams }),
      workload("lazy", { ...CAPTURED, discovery: "on-demand" }),
    ],
  });
  state.setObserved(
    "shop/lazy-1",
    random.some(
      urls.map((url) => {
        const { host, port } = upstreamAt(url);
        return url.startsWith("http") ? `${port}/${host}` : `outbound|${port}||${host}`;
      }),
      0.4,
    ),
  );
  const { snapshot, changed } = state.next();
  const translator = createTranslator();
  translator.publish(snapshot, changed);
  for (const id of [WIDE, ...NARROW]) translator.preview(id);
  assert.deepEqual(translator.publish(snapshot, new Set()).failures, []);
  return { snapshot, translator, urls };
}

function upstreamAt(url: string): { readonly host: string; readonly port: string } {
  const [, host = "", port = ""] = /^\w+:\/\/(.*):(\d+)$/.exec(url) ?? [];
  return { host, port };
}

function typesOf({ translator }: Mesh, id: string) {
  const resources = translator.preview(id);
  assert.ok(resources, id);
  return resources.types;
}

function explained({ snapshot, translator }: Mesh, from: string, to: string): ExplainReply {
  const reply = explainWith(snapshot, translator, from, { to, method: "GET", headers: [] });
  assert.ok(reply);
  return reply;
}

/** Where a call goes and what is done to it, without how it was found. */
function answer({ steps, outcome }: ExplainReply): unknown {
  return [outcome, steps.filter(({ step }) => ["cluster", "endpoint", "edit"].includes(step))];
}

function isForwarded({ outcome }: ExplainReply): boolean {
  return outcome.kind === "forward";
}

/**
 * Whether the Sidecar lets the VirtualService count that decided a call; true where none did. Undefined: it has several
 * egress listeners, of which each has its own say.
 */
function counts({ snapshot }: Mesh, { steps }: ExplainReply): boolean | undefined {
  const view = viewOf(snapshot);
  const [sidecar] = view.sidecars("shop");
  assert.ok(sidecar);
  const [only, ...others] = sidecarScope(view, sidecar, "shop").listeners;
  if (others.length > 0) return undefined;
  const object = steps.find(({ object: one }) => one?.kind === "VirtualService")?.object;
  const decides = object && view.virtualServiceNamed(`${object.namespace}/${object.name}`);
  const knows = (host: string): boolean => view.services(host).length > 0;
  return !decides || importsVirtualService(view.settings, only?.imports, decides, knows);
}

/**
 * Whether the Sidecar keeps the service out that a call is for. The call may still be routed, beside another host of a
 * VirtualService: by the first one that has such a host, which need not be the one that the service is routed by.
 */
function isKeptOut({ snapshot }: Mesh, url: string): boolean {
  const view = viewOf(snapshot);
  const [sidecar] = view.sidecars("shop");
  assert.ok(sidecar);
  const { host } = upstreamAt(url);
  const { listeners } = sidecarScope(view, sidecar, "shop");
  return view.services(host).length > 0 && !listeners.some(({ hosts }) => hosts.includes(host));
}

const SEEDS = 150;

test("what a narrow scope has is a part of what there is without one, refers to nothing else, and answers calls alike", () => {
  let [alike, otherwise] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const mesh = meshOf(new Random(seed * 7919));
    const wide = typesOf(mesh, WIDE);
    for (const id of NARROW) {
      const types = typesOf(mesh, id);
      assert.deepEqual(missingReferences(types), [], `seed ${seed}: ${id}`);
      for (const type of [TYPE_URL.cluster, TYPE_URL.endpoints])
        for (const [name, { version }] of types.get(type) ?? [])
          assert.equal(wide.get(type)?.get(name)?.version, version, `seed ${seed}: ${name} of ${id}`);
    }
    for (const type of [TYPE_URL.listener, TYPE_URL.route])
      for (const name of typesOf(mesh, "shop/narrow-1").get(type)?.keys() ?? [])
        assert.ok(wide.get(type)?.has(name), `seed ${seed}: ${name}`);
    for (const url of mesh.urls) {
      const unscoped = explained(mesh, WIDE, url);
      for (const id of ["shop/narrow-1", "shop/declared-1"]) {
        const scoped = explained(mesh, id, url);
        const place = `seed ${seed}: ${url} from ${id}`;
        const isScoped = id === "shop/narrow-1";
        if (isScoped) assert.notEqual(counts(mesh, scoped), false, place);
        if (!isForwarded(scoped) || !isForwarded(unscoped)) continue;
        const keptOut = isScoped && isKeptOut(mesh, url);
        if (keptOut || (isScoped && counts(mesh, unscoped) !== true)) otherwise += 1;
        else {
          alike += 1;
          assert.deepEqual(answer(scoped), answer(unscoped), place);
        }
      }
    }
  }
  // Random samples have to reach what the test is about.
  assert.ok(
    alike > SEEDS && otherwise > SEEDS / 10,
    `${alike} calls compared, ${otherwise} decided otherwise`,
  );
});
