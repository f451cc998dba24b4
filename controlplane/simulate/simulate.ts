import type { Filter, FilterChain } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import {
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager,
} from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { TcpProxy } from "../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { DownstreamTlsContext } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { originOf } from "../translate/config-metadata.ts";
import { hostPort } from "./addresses.ts";
import type { Call } from "./call.ts";
import { chooseFilterChain } from "./filter-chain-match.ts";
import { findListener } from "./find-listener.ts";
import { detect } from "./listener-filters.ts";
import { outcomeOf } from "./outcome.ts";
import { guardConnection } from "./security.ts";
import { type HttpContext, type HttpSteps, simulateHttp } from "./simulate-http.ts";
import { upstreamOf } from "./upstream.ts";
import { type Failure, failure, type Verdict } from "./verdict.ts";
import { chooseTargets } from "./weights.ts";
import { unpack, type XdsConfig } from "./xds-config.ts";

export interface SimulateOptions {
  /** In [0,1): takes the place of Envoy's random value where weights or fractions decide. Without it all are answered. */
  readonly pick?: number;
  /** When the call is made. Without it the times of tokens are not looked at. */
  readonly nowMs?: number;
}

const NOTHING: Verdict = {
  listener: undefined,
  filterChain: undefined,
  policies: [],
  virtualHost: undefined,
  route: undefined,
  action: undefined,
  upstreams: [],
  asksFor: [],
  outcome: { kind: "error", error: failure("no-listener", "no listener takes the call") },
};

/** What Envoy, given these resources, would do with a call. Pure: nothing is sent, no dice are rolled. */
export function simulate(config: XdsConfig, call: Call, { pick, nowMs }: SimulateOptions = {}): Verdict {
  const found = findListener(config.listeners.values(), call);
  if (found === undefined) {
    return stop(NOTHING, failure("no-listener", `no listener takes ${hostPort(call.address, call.port)}`));
  }
  const { listener, via, restored, why } = found;
  const listened: Verdict = { ...NOTHING, listener: { name: listener.name, why, via: via?.name } };
  const detected = detect(via === undefined ? [listener] : [via, listener], call);
  const chosen = chooseFilterChain(listener, call, detected);
  if (chosen === undefined) {
    const shown = [detected.transport, detected.serverName, ...detected.alpn].filter((part) => part !== "");
    const reason = `no filter chain of ${listener.name} is for ${shown.join(", ")}; the connection is closed`;
    return stop(listened, failure("no-filter-chain", reason));
  }
  const { chain, index } = chosen;
  const unevaluated = unevaluatedFilters(chain.filters);
  const chained = {
    ...listened,
    filterChain: { name: chain.name, index, why: chosen.why, unevaluated, origin: originOf(chain), chain },
  };
  const broken = handshakeProblem(chain, call);
  if (broken !== undefined) return stop(chained, broken);
  const { steps, refusal } = guardConnection(chain.filters, call);
  const guarded = { ...chained, policies: steps };
  if (refusal !== undefined) return stop(guarded, refusal);
  const ran = runFilters(chain.filters, { config, call, restored, pick, nowMs });
  return { ...guarded, ...ran, policies: [...steps, ...(ran.policies ?? [])] };
}

function stop(verdict: Verdict, error: Failure): Verdict {
  return { ...verdict, outcome: { kind: "error", error } };
}

/** What the chain's transport socket and its codec make of the caller's first bytes. */
function handshakeProblem({ transportSocket, filters }: FilterChain, call: Call): Failure | undefined {
  const reset = (reason: string): Failure => failure("connection-reset", reason);
  const tls = unpack(transportSocket?.typedConfig, "DownstreamTlsContext", DownstreamTlsContext);
  if (tls !== undefined) {
    if (call.tls === undefined) return reset("the filter chain expects TLS and the caller speaks plain text");
    if (tls.requireClientCertificate === true && call.source.principal === undefined) {
      return reset("the filter chain wants a client certificate and the caller shows none");
    }
  }
  const manager = managerIn(filters);
  if (manager === undefined) return undefined;
  if (tls === undefined && call.tls !== undefined) {
    return reset("the caller starts TLS where plain HTTP is expected");
  }
  if (call.protocol === "tcp") return reset("the caller speaks no HTTP where HTTP is expected");
  const wanted = call.protocol === "http2" ? Codec.HTTP1 : Codec.HTTP2;
  return manager.codecType === wanted
    ? reset(`the listener speaks another HTTP version than the caller's ${call.protocol}`)
    : undefined;
}

function runFilters(filters: readonly Filter[], context: HttpContext): Partial<HttpSteps> {
  const manager = managerIn(filters);
  if (manager !== undefined) return simulateHttp(manager, context);
  const proxy = filters.map(({ typedConfig }) => unpack(typedConfig, "TcpProxy", TcpProxy)).find(Boolean);
  if (proxy !== undefined) return simulateTcp(proxy, context);
  const error =
    filters.length === 0
      ? failure("connection-reset", "the filter chain has no filters, so the connection is closed")
      : failure("not-simulated", `filter ${filters.at(-1)?.name} is not simulated`);
  return { outcome: { kind: "error", error } };
}

function managerIn(filters: readonly Filter[]): HttpConnectionManager | undefined {
  return filters
    .map(({ typedConfig }) => unpack(typedConfig, "HttpConnectionManager", HttpConnectionManager))
    .find(Boolean);
}

function simulateTcp(
  { cluster = "", weightedClusters, hashPolicy, onDemand }: TcpProxy,
  { config, call, restored, pick }: HttpContext,
): Partial<HttpSteps> {
  const weighted = weightedClusters?.clusters ?? [{ name: cluster, weight: 1 }];
  const targets = chooseTargets(
    weighted.map(({ name, weight }) => ({ cluster: name, weight, edits: [] })),
    pick,
  );
  const to = { call, restored, authority: call.tls?.sni ?? "", statuses: undefined };
  const upstreams = targets.map((target) => upstreamOf(config, target, to));
  const hashOn = hashPolicy.map(({ sourceIp }) =>
    sourceIp === undefined ? "filter state" : "source address",
  );
  return {
    action: { kind: "forward", level: "tcp", targets, hashOn, edits: undefined },
    upstreams,
    asksFor:
      onDemand === undefined
        ? []
        : targets.map(({ cluster: name }) => name).filter((name) => !config.clusters.has(name)),
    outcome: outcomeOf(upstreams),
  };
}

/** Filters that may turn a call away, or elsewhere, by what is not simulated: others are asked, or programs run. */
const DECIDING = /\.(ExtAuthzPerRoute|ExternalProcessor|Wasm|Lua|RateLimit|LocalRateLimit|OAuth2)$/;

function unevaluatedFilters(filters: readonly Filter[]): readonly string[] {
  const inManager = managerIn(filters)?.httpFilters ?? [];
  return [...filters, ...inManager]
    .filter(({ typedConfig }) => typedConfig !== undefined && DECIDING.test(typedConfig.typeUrl))
    .map(({ name }) => name);
}
