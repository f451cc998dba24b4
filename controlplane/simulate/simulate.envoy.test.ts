import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { StaticEnvoy } from "../../test/harness/static-envoy.ts";
import { mint } from "../../test/harness/test-certificates.ts";
import { freePort } from "../../test/harness/test-proxy.ts";
import { skipWithout } from "../../test/harness/tools.ts";
import { type Call, PLAIN_CALL } from "./call.ts";
import { simulate } from "./simulate.ts";
import { ACTION_CALLS, actionHosts, ailingClusters } from "./testing/action-cases.ts";
import { ADDRESSES, addressChains, chain, HELLOS, tlsChains } from "./testing/chain-cases.ts";
import {
  configOf,
  downstreamTls,
  FILTERS_WITH_EXTRAS,
  HTTP_INSPECTOR,
  httpManager,
  type Json,
  listener,
  staticCluster,
  TLS_INSPECTOR,
} from "./testing/json-config.ts";
import { rawCall } from "./testing/raw-call.ts";
import { ROUTE_CALLS, VIRTUAL_HOSTS } from "./testing/route-cases.ts";
import type { Verdict } from "./verdict.ts";
import type { XdsConfig } from "./xds-config.ts";

/**
 * The simulator against the program that it simulates: the same resources and the same calls, one by one. Each route and
 * each chain answers with its name, the application with what reached it.
 */
const skip = skipWithout("envoy");

const PLACES = [
  "plain",
  "strict",
  "actions",
  "sni",
  "sniDefault",
  "uninspected",
  "blind",
  "sniffed",
  "addresses",
  "addressesDefault",
  "bound",
] as const;
type Place = (typeof PLACES)[number];

/** What an answer is compared by. */
interface Seen {
  readonly status: number | undefined;
  readonly route: string;
  readonly location: string;
}

const CUT: Seen = { status: undefined, route: "", location: "" };

let envoy: StaticEnvoy | undefined;
let app: Server | undefined;
let config: XdsConfig;
const ports = new Map<Place, number>();

function portOf(place: Place): number {
  return ports.get(place) ?? 0;
}

before(async () => {
  if (skip !== false) return;
  for (const place of PLACES) ports.set(place, await freePort());
  app = createServer((request, response) => {
    response.setHeader("x-route", `${request.headers.host} ${request.url}`);
    response.end();
  });
  await new Promise<void>((resolve) => app?.listen(0, "127.0.0.1", resolve));
  const appPort = (app.address() as AddressInfo).port;
  const resources = {
    listeners: listeners(),
    clusters: [staticCluster("app", [appPort]), staticCluster("empty", []), ...ailingClusters(appPort)],
  };
  config = configOf(resources);
  envoy = await StaticEnvoy.start(resources.listeners, resources.clusters);
});

after(async () => {
  await envoy?.[Symbol.asyncDispose]();
  app?.close();
});

function listeners(): readonly Json[] {
  const { pem, keyPem } = mint({ commonName: "test" });
  const certificate = { certificateChain: { inlineString: pem }, privateKey: { inlineString: keyPem } };
  const tls = downstreamTls({ tlsCertificates: [certificate] });
  const at = (place: Place, over: Json, address = "127.0.0.1"): Json =>
    listener(place, address, portOf(place), over);
  const http = (place: Place, virtualHosts: readonly Json[], over: Json = {}): Json =>
    at(place, {
      filterChains: [
        { filters: [httpManager({ name: place, virtualHosts, validateClusters: false }, over)] },
      ],
    });
  const strict = {
    normalizePath: true,
    mergeSlashes: true,
    stripAnyHostPort: true,
    stripTrailingHostDot: true,
  };
  const filterChains = tlsChains(tls);
  const defaultFilterChain = chain("default", undefined);
  return [
    http("plain", VIRTUAL_HOSTS),
    http("strict", VIRTUAL_HOSTS, strict),
    http("actions", actionHosts("app"), { httpFilters: FILTERS_WITH_EXTRAS }),
    at("sni", { filterChains, listenerFilters: [TLS_INSPECTOR] }),
    at("sniDefault", {
      filterChains: filterChains.slice(0, -2),
      defaultFilterChain: { ...defaultFilterChain, transportSocket: tls },
      listenerFilters: [TLS_INSPECTOR],
    }),
    at("uninspected", { filterChains }),
    at("blind", { filterChains: [chain("only", undefined, { transportSocket: tls })] }),
    at("sniffed", {
      filterChains: [
        chain("http1", { applicationProtocols: ["http/1.1"] }),
        chain("h2c", { applicationProtocols: ["h2c"] }),
      ],
      defaultFilterChain,
      listenerFilters: [HTTP_INSPECTOR],
    }),
    at("addresses", { filterChains: addressChains(portOf("addresses")) }, "0.0.0.0"),
    at("addressesDefault", { filterChains: addressChains(1), defaultFilterChain }, "0.0.0.0"),
    listener("bound-to-all", "0.0.0.0", portOf("bound"), {
      filterChains: [chain("bound-to-all", undefined)],
    }),
    listener("bound-to-one", "127.0.0.1", portOf("bound"), {
      filterChains: [chain("bound-to-one", undefined)],
    }),
  ];
}

for (const place of ["plain", "strict"] as const) {
  test(`routes as Envoy does with the ${place} connection manager`, { skip }, async () => {
    const { routes, differences } = await compare(
      ROUTE_CALLS.map((request) => ({ ...PLAIN_CALL, port: portOf(place), ...request })),
    );
    assert.deepEqual(differences, []);
    assert.ok(routes.size > 45, `the calls reach most of the routes, not only ${routes.size}`);
  });
}

test("redirects, rewrites, injects, chooses endpoints and fails as Envoy does", { skip }, async () => {
  const { differences } = await compare(
    ACTION_CALLS.map((request) => ({ ...PLAIN_CALL, port: portOf("actions"), ...request })),
  );
  assert.deepEqual(differences, []);
});

for (const place of ["sni", "sniDefault", "uninspected", "blind"] as const) {
  test(`chooses filter chains by TLS as Envoy does: ${place}`, { skip }, async () => {
    const { differences } = await compare(
      HELLOS.map((tls) => ({ ...PLAIN_CALL, port: portOf(place), host: "x.test", tls })),
    );
    assert.deepEqual(differences, []);
  });
}

test("chooses filter chains by sniffed protocol and by addresses, and listeners, as Envoy does", {
  skip,
}, async () => {
  const call = { ...PLAIN_CALL, host: "x.test" };
  const { differences } = await compare([
    { ...call, port: portOf("sniffed") },
    ...(["addresses", "addressesDefault"] as const).flatMap((place) =>
      ADDRESSES.map((address) => ({ ...call, address, port: portOf(place) })),
    ),
    ...["127.0.0.1", "127.0.0.2"].map((address) => ({ ...call, address, port: portOf("bound") })),
  ]);
  assert.deepEqual(differences, []);
});

async function compare(
  calls: readonly Call[],
): Promise<{ readonly routes: ReadonlySet<string>; readonly differences: readonly unknown[] }> {
  const routes = new Set<string>();
  const differences: unknown[] = [];
  for (const call of calls) {
    const reply = await rawCall(call);
    const real =
      reply === undefined ? CUT : { status: reply.status, route: reply.route, location: reply.location };
    const simulated = foreseen(simulate(config, call));
    if (real.route !== "") routes.add(real.route);
    if (JSON.stringify(real) === JSON.stringify(simulated)) continue;
    const { address, method, host, path, headers, tls } = call;
    differences.push({ call: { address, method, host, path, headers, tls }, real, simulated });
  }
  return { routes, differences };
}

function foreseen({ outcome, action }: Verdict): Seen {
  switch (outcome.kind) {
    case "respond":
      return { status: outcome.status, route: outcome.body, location: "" };
    case "redirect":
      return { status: outcome.status, route: "", location: outcome.location };
    case "error":
      return { ...CUT, status: outcome.error.status };
    default: {
      const edits = action?.kind === "forward" ? action.edits : undefined;
      return { status: 200, route: `${edits?.authority} ${edits?.path}`, location: "" };
    }
  }
}
