import type { GatewayHost, GatewayServer, ServerTls } from "../../mesh/model/gateway.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { selects } from "../snapshot/labels.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import type { SnapshotView, WorkloadConfig } from "../snapshot/snapshot-view.ts";

type Gateway = StoredObject<"Gateway">;

/** One server of a Gateway that is in force. */
export interface BoundServer {
  readonly gateway: Gateway;
  /** `namespace/name`, as VirtualServices are bound to it. */
  readonly gatewayKey: string;
  readonly server: GatewayServer;
  /** With `.` resolved; namespace `*`: of all. */
  readonly hosts: readonly GatewayHost[];
  /** The route configuration of its HTTP; undefined: it is not taken apart as HTTP. */
  readonly routeName: string | undefined;
}

/** Servers that share a listening socket. */
export interface GatewayListener {
  /** Empty: all addresses. */
  readonly bind: string;
  readonly port: number;
  /** `http`: plaintext, all with one route configuration; `tls`: told apart by server name; `tcp`: one server. */
  readonly kind: "http" | "tls" | "tcp";
  /** In order of precedence; never empty. */
  readonly servers: readonly BoundServer[];
}

export interface MergedGateways {
  readonly listeners: readonly GatewayListener[];
  /** Servers that are not in force because of others. */
  readonly conflicts: readonly PublishWarning[];
}

/** The Gateways, of whatever namespace, whose selector selects a workload; oldest first. */
export function gatewaysFor(
  view: SnapshotView,
  { labels }: Pick<WorkloadConfig, "labels">,
): readonly Gateway[] {
  return view.gateways().filter(({ spec }) => selects(spec.selector, labels));
}

/**
 * Istio's rules for servers that meet at one address and port (`mergeGateways`): HTTP joins HTTP, TLS joins TLS unless
 * they claim a host twice, and of all else the first stays.
 */
export function mergeGateways(gateways: readonly Gateway[]): MergedGateways {
  const listeners = new Map<string, GatewayListener>();
  const conflicts: PublishWarning[] = [];
  const claimed = new Map<string, string>();
  for (const gateway of gateways) {
    for (const [index, server] of gateway.spec.servers.entries()) {
      const bound = bind(gateway, server);
      const kind = kindOf(server);
      const place = `${server.bind}_${server.port.number}`;
      const complain = (reason: string): void => {
        conflicts.push({
          subject: keyOf(gateway),
          message: `spec.servers[${index}] is not in force: ${reason}`,
        });
      };
      const twice = server.tls && bound.hosts.find((host) => claimed.has(`${place} ${textOf(host)}`));
      if (twice !== undefined) {
        complain(
          `host ${textOf(twice)} is ${claimed.get(`${place} ${textOf(twice)}`)}'s at port ${server.port.number}`,
        );
        continue;
      }
      const there = listeners.get(place);
      if (there !== undefined && (there.kind !== kind || kind === "tcp")) {
        const [first] = there.servers;
        complain(
          `port ${server.port.number} has ${first?.server.port.protocol} of Gateway ${first?.gatewayKey}`,
        );
        continue;
      }
      if (server.tls !== undefined) {
        for (const host of bound.hosts)
          claimed.set(`${place} ${textOf(host)}`, `Gateway ${bound.gatewayKey}`);
      }
      listeners.set(place, {
        bind: server.bind,
        port: server.port.number,
        kind,
        servers: [...(there?.servers ?? []), bound],
      });
    }
  }
  return { listeners: [...listeners.values()], conflicts };
}

function bind(gateway: Gateway, server: GatewayServer): BoundServer {
  const { namespace, name } = gateway.metadata;
  return {
    gateway,
    gatewayKey: `${namespace}/${name}`,
    server,
    hosts: server.hosts.map((one) => (one.namespace === "." ? { ...one, namespace } : one)),
    routeName: routeNameOf(gateway, server),
  };
}

/** As Istio names them, for EnvoyFilters look at these names too. */
function routeNameOf({ metadata }: Gateway, { port, bind: address, tls }: GatewayServer): string | undefined {
  const at = address === "" ? "" : `.${address}`;
  if (isPlainHttp(port)) return `http.${port.number}${at}`;
  if (port.protocol !== "HTTPS" || tls === undefined || passesOn(tls)) return undefined;
  return `https.${port.number}.${port.name}.${metadata.name}.${metadata.namespace}${at}`;
}

function kindOf({ port, tls }: GatewayServer): GatewayListener["kind"] {
  if (isPlainHttp(port)) return "http";
  return tls === undefined ? "tcp" : "tls";
}

function isPlainHttp({ protocol }: GatewayServer["port"]): boolean {
  return protocol === "HTTP" || protocol === "HTTP2" || protocol === "GRPC";
}

/** Whether TLS goes on as it is to who it is for. */
export function passesOn({ mode }: ServerTls): boolean {
  return mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH";
}

function textOf({ namespace, host }: GatewayHost): string {
  return namespace === "*" ? host : `${namespace}/${host}`;
}
