import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { staticBootstrap } from "../../../test/harness/static-bootstrap.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { validateBootstrap } from "../../../test/harness/validate-envoy.ts";
import { applyPatches } from "./testing/apply-patches.ts";
import { GATEWAY, json, SIDECAR } from "./testing/base-resources.ts";
import { CLUSTER_CASES } from "./testing/cluster-cases.ts";
import { HTTP_FILTER_CASES, NETWORK_FILTER_CASES } from "./testing/filter-cases.ts";
import { FILTER_CHAIN_CASES, LISTENER_CASES, LISTENER_FILTER_CASES } from "./testing/listener-cases.ts";
import type { PatchCase } from "./testing/patch-case.ts";
import { HTTP_ROUTE_CASES, ROUTE_CONFIGURATION_CASES, VIRTUAL_HOST_CASES } from "./testing/route-cases.ts";

type Json = { [key: string]: unknown };

const CASES: readonly PatchCase[] = [
  ...LISTENER_CASES,
  ...LISTENER_FILTER_CASES,
  ...FILTER_CHAIN_CASES,
  ...NETWORK_FILTER_CASES,
  ...HTTP_FILTER_CASES,
  ...ROUTE_CONFIGURATION_CASES,
  ...VIRTUAL_HOST_CASES,
  ...HTTP_ROUTE_CASES,
  ...CLUSTER_CASES,
];

interface Patched {
  readonly type: string;
  readonly message: Json;
}

function patchedOf({ patches, role }: PatchCase): readonly Patched[] {
  return applyPatches(patches, role).resources.flatMap(({ type, after }) =>
    after === undefined ? [] : [{ type, message: json.resourceToJson(type, after.bytes) as Json }],
  );
}

function baseOf(type: string): readonly Json[] {
  const both = [SIDECAR, GATEWAY].flatMap((base) =>
    [...base].flatMap(([known, list]) => (known === type ? list : [])),
  );
  const unique = new Map(both.map((resource) => [resource.name, resource]));
  return [...unique.values()].map(({ bytes }) => json.resourceToJson(type, bytes) as Json);
}

/** All of them in one bootstrap, each under a name and at a port of its own, among the clusters that were there before. */
function bootstrapOf(patched: readonly Patched[]): Json {
  const of = (type: string): readonly Json[] =>
    patched.flatMap(({ type: known, message }, index) =>
      known === type ? [{ ...message, name: `${index} ${String(message["name"])}` }] : [],
    );
  const routes = of(TYPE_URL.route);
  const listeners = [
    ...of(TYPE_URL.listener),
    ...routes.map(({ name }) => listenerOf(`routes ${String(name)}`, String(name))),
  ].map((listener, index) => ({
    ...listener,
    address: { socketAddress: { address: "127.0.0.1", portValue: 20_000 + index } },
  }));
  return staticBootstrap({
    listener: listeners,
    route: [...routes, ...baseOf(TYPE_URL.route)],
    cluster: [...of(TYPE_URL.cluster), ...baseOf(TYPE_URL.cluster)],
  });
}

function listenerOf(name: string, routeConfigName: string): Json {
  const google = "type.googleapis.com/envoy.extensions.filters";
  const router = { name: "router", typedConfig: { "@type": `${google}.http.router.v3.Router` } };
  const manager = {
    "@type": `${google}.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: "x",
    rds: { routeConfigName },
    httpFilters: [router],
  };
  return { name, filterChains: [{ filters: [{ name: "manager", typedConfig: manager }] }] };
}

test("Envoy accepts what patches make of resources", { skip: skipWithout("envoy") }, async () => {
  const patched = CASES.filter(({ refused }) => !refused).flatMap(patchedOf);
  assert.ok(patched.length > 60, `only ${patched.length} resources: are the cases right?`);
  const said = await validateBootstrap(bootstrapOf(patched));
  assert.doesNotMatch(said, /REFUSED|deprecated/i, said);
});

for (const one of CASES.filter(({ refused }) => refused)) {
  test(`Envoy refuses what its author has asked for: ${one.name}`, {
    skip: skipWithout("envoy"),
  }, async () => {
    assert.match(await validateBootstrap(bootstrapOf(patchedOf(one))), /REFUSED/);
  });
}
