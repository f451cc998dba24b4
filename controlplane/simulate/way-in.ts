import type { Service } from "../../mesh/model/service.ts";
import { loopbackVip } from "../../mesh/model/vips.ts";
import type { SocketAddress, Workload } from "../../mesh/model/workload.ts";
import type { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { HttpConnectionManager } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { serviceClient } from "../policy/client.ts";
import { findService, upstreamPort } from "../policy/services.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { hostPort } from "./addresses.ts";
import { type Call, PLAIN_CALL } from "./call.ts";
import { type CallTarget, isAddress, usesTls } from "./explain-target.ts";
import { findListener } from "./find-listener.ts";
import { unpack, type XdsConfig } from "./xds-config.ts";

/** What the application of a workload would send, beside where. */
export interface ExplainRequest {
  readonly target: CallTarget;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Of a workload, what its way to a host depends on. */
export type ExplainedWorkload = Pick<Workload, "name" | "namespace" | "labels" | "role" | "upstreams">;

/** How a workload comes to its proxy with a call, or why it does not. */
export type WayIn =
  | {
      readonly kind: "found";
      readonly call: Call;
      readonly why: string;
      readonly service: Service | undefined;
    }
  | { readonly kind: "none"; readonly reason: string; readonly service: Service | undefined };

interface Way {
  readonly at: SocketAddress;
  readonly why: string;
}

/** Name of the routes of an HTTP forward proxy, as in Istio. */
const HTTP_PROXY_ROUTES = "http_proxy";

/** Stands for what DNS answers, which nobody here knows (RFC 5737, for documentation). */
const UNKNOWN_ADDRESS = "192.0.2.1";

const DEFAULT_PORTS: Readonly<Record<CallTarget["scheme"], number>> = {
  http: 80,
  grpc: 80,
  https: 443,
  tcp: 0,
  tls: 0,
};

/** The first of the ways to a host that some listener of the proxy takes (DESIGN D5). */
export function wayIn(
  config: XdsConfig,
  view: SnapshotView,
  workload: ExplainedWorkload,
  request: ExplainRequest,
): WayIn {
  const { target } = request;
  const client = serviceClient(view, workload);
  const service = isAddress(target) ? undefined : findService(view, target.host, workload.namespace, client);
  const port = portOf(target, service);
  for (const way of ways(config, view, workload, target, service, port)) {
    const call = callAt(way.at, request);
    if (findListener(config.listeners.values(), call) !== undefined) {
      return { kind: "found", call, why: way.why, service };
    }
  }
  const { namespace, name } = workload;
  const reason = `${namespace}/${name} has no way to ${hostPort(target.host, port)}: it declares no such upstream, no address of it is bound, and its traffic is not intercepted`;
  return { kind: "none", reason, service };
}

/** The written one, else the scheme's, else the only one that the service has. */
function portOf({ port, scheme }: CallTarget, service: Service | undefined): number {
  if (port !== undefined) return port;
  const usual = DEFAULT_PORTS[scheme];
  const numbers = service?.ports.map(({ number }) => number) ?? [];
  return numbers.length === 1 && !numbers.includes(usual) ? (numbers[0] ?? usual) : usual;
}

function* ways(
  config: XdsConfig,
  view: SnapshotView,
  workload: ExplainedWorkload,
  target: CallTarget,
  service: Service | undefined,
  port: number,
): Generator<Way> {
  if (isAddress(target)) {
    yield { at: { address: target.host, port }, why: "the address that is called" };
    return;
  }
  const client = serviceClient(view, workload);
  for (const upstream of workload.upstreams) {
    const meant = findService(view, upstream.host, workload.namespace, client);
    const named = meant?.hostname ?? upstream.host;
    if (upstreamPort(meant, upstream.port) !== port || named !== (service?.hostname ?? target.host)) continue;
    yield { at: upstream.bind, why: `declared upstream ${upstream.host}:${port}` };
  }
  const vip = service?.addresses[0]?.split("/")[0];
  for (const address of [vip, loopbackVip(vip ?? "")]) {
    if (address !== undefined) yield { at: { address, port }, why: `address of ${service?.hostname}` };
  }
  const proxy = target.scheme === "http" ? httpProxy(config) : undefined;
  if (proxy !== undefined) yield { at: proxy, why: "the HTTP proxy of the workload" };
  const [endpoint] = service === undefined ? [] : view.endpoints(service.key);
  const instance = endpoint?.targets.find(({ servicePort }) => servicePort === port);
  if (instance !== undefined) yield { at: instance, why: "address of an instance, which DNS gives" };
  const who = service === undefined ? `no service of the mesh is called ${target.host}: ` : "";
  yield {
    at: { address: UNKNOWN_ADDRESS, port },
    why: `${who}an address that DNS gives (taken as ${UNKNOWN_ADDRESS})`,
  };
}

function httpProxy({ listeners }: XdsConfig): SocketAddress | undefined {
  const listener = [...listeners.values()].find(isHttpProxy)?.address?.socketAddress;
  return listener && { address: listener.address, port: listener.portValue ?? 0 };
}

function isHttpProxy({ filterChains, defaultFilterChain }: Listener): boolean {
  return [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])].some(
    ({ filters }) =>
      filters.some(
        ({ typedConfig }) =>
          unpack(typedConfig, "HttpConnectionManager", HttpConnectionManager)?.rds?.routeConfigName ===
          HTTP_PROXY_ROUTES,
      ),
  );
}

function callAt({ address, port }: SocketAddress, { target, method, headers }: ExplainRequest): Call {
  const { scheme, host, authority, path } = target;
  const named = headers.find(([name]) => name.toLowerCase() === "host")?.[1];
  const isGrpc = scheme === "grpc";
  const http2 = isGrpc || scheme === "https" ? (["h2", "http/1.1"] as const) : [];
  return {
    ...PLAIN_CALL,
    address,
    port,
    protocol: scheme === "tcp" || scheme === "tls" ? "tcp" : isGrpc ? "http2" : "http",
    tls: usesTls(target)
      ? { sni: isAddress(target) ? "" : host, alpn: scheme === "tls" ? [] : http2 }
      : undefined,
    method: isGrpc ? "POST" : method,
    host: named ?? authority,
    path,
    headers: isGrpc ? [["content-type", "application/grpc"], ...headers] : headers,
  };
}
