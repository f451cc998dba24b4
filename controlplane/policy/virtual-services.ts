import type { StoredObject } from "../../mesh/model/object.ts";
import type { HttpMatch, HttpRoute, L4Match, TcpRoute } from "../../mesh/model/virtual-service.ts";
import { patternsCovering } from "../snapshot/host-names.ts";
import { selects } from "../snapshot/labels.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { Client } from "./client.ts";
import { type Visibility, visibility } from "./export-to.ts";

type VirtualService = StoredObject<"VirtualService">;

/** The gateway name that means the sidecars of the mesh. */
const MESH_GATEWAY = "mesh";

const NEAREST_FIRST: readonly Visibility[] = ["private", "exported", "public"];

/**
 * The one VirtualService that governs a host for a client. The most specific host wins; among those the nearest: private
 * to the client's namespace, exported to it, public; among those the oldest. VirtualServices are never merged.
 */
export function governingVirtualService(
  view: SnapshotView,
  client: Client,
  hostname: string,
): VirtualService | undefined {
  for (const pattern of patternsCovering(hostname)) {
    const all = view.virtualServices(pattern).filter(({ spec }) => appliesToMesh(spec.gateways));
    for (const wanted of NEAREST_FIRST) {
      const found = all.find(
        ({ spec, metadata }) => visibility(spec.exportTo, metadata.namespace, client.namespace) === wanted,
      );
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** An HTTP route with those of its matches that this client can meet. */
export interface ApplicableRoute {
  readonly route: HttpRoute;
  /** Undefined: matches every request. */
  readonly match: HttpMatch | undefined;
  /** Place in the VirtualService, for names and messages. */
  readonly index: number;
}

/**
 * The matches of a VirtualService's HTTP routes in order, without those that this client or listener port can never
 * meet, up to and including the first that every request meets: what follows it cannot be reached.
 */
export function applicableHttpRoutes(
  { spec }: VirtualService,
  client: Client,
  port: number,
): readonly ApplicableRoute[] {
  const applicable: ApplicableRoute[] = [];
  for (const [index, route] of spec.http.entries()) {
    const matches = route.match.length === 0 ? [undefined] : route.match;
    for (const match of matches) {
      if (match !== undefined && !meets(match, client, port)) continue;
      applicable.push({ route, match, index });
      if (isCatchAll(match)) return applicable;
    }
  }
  return applicable;
}

/** The first TCP route that takes all connections of this client to the port. */
export function applicableTcpRoute(
  { spec }: VirtualService,
  client: Client,
  port: number,
): TcpRoute | undefined {
  return spec.tcp.find(
    ({ match }) =>
      match.length === 0 ||
      // An explicit listener is bound to the caller's own address: no destination subnet can ever be met there.
      match.some((one) => one.destinationSubnets.length === 0 && meets(one, client, port)),
  );
}

function meets(match: HttpMatch | L4Match, client: Client, port: number): boolean {
  return (
    appliesToMesh(match.gateways) &&
    (match.port === undefined || match.port === port) &&
    (match.sourceNamespace === "" || match.sourceNamespace === client.namespace) &&
    selects(match.sourceLabels, client.labels)
  );
}

function appliesToMesh(gateways: readonly string[]): boolean {
  return gateways.length === 0 || gateways.includes(MESH_GATEWAY);
}

function isCatchAll(match: HttpMatch | undefined): boolean {
  if (match === undefined) return true;
  const { uri } = match;
  const anyPath =
    uri === undefined ||
    uri.kind === "present" ||
    (uri.kind === "prefix" && uri.value === "/") ||
    (uri.kind === "regex" && (uri.value === "*" || uri.value === ".*"));
  return (
    anyPath &&
    match.scheme === undefined &&
    match.method === undefined &&
    match.authority === undefined &&
    [match.headers, match.withoutHeaders, match.queryParams].every((part) => Object.keys(part).length === 0)
  );
}
