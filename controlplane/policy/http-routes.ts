import type { StoredObject } from "../../mesh/model/object.ts";
import type { HttpMatch, HttpRoute } from "../../mesh/model/virtual-service.ts";
import { selects } from "../snapshot/labels.ts";
import { gatewayKey, MESH_GATEWAY } from "../snapshot/object-lists.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { expandDelegates, type OwnedRoute } from "./delegates.ts";
import type { RoutingClient } from "./virtual-services.ts";

/** An HTTP route with one of its matches that this client can meet. */
export interface ApplicableRoute extends OwnedRoute {
  readonly route: HttpRoute;
  /** Undefined: matches every request. */
  readonly match: HttpMatch | undefined;
}

/**
 * The matches of a VirtualService's HTTP routes (and its delegates') in order, without those that this client or port can
 * never meet, up to and including the first that every request meets: what follows it cannot be reached.
 * `gateway` is `namespace/name` of the gateway that asks; undefined: a sidecar.
 */
export function applicableHttpRoutes(
  view: SnapshotView,
  virtualService: StoredObject<"VirtualService">,
  client: RoutingClient,
  port: number,
  gateway: string | undefined,
): readonly ApplicableRoute[] {
  const applicable: ApplicableRoute[] = [];
  for (const owned of expandDelegates(view, virtualService).routes) {
    const matches = owned.route.match.length === 0 ? [undefined] : owned.route.match;
    for (const match of matches) {
      if (match !== undefined && !meets(match, owned.owner.metadata.namespace, client, port, gateway))
        continue;
      applicable.push({ ...owned, match });
      if (isCatchAll(match)) return applicable;
    }
  }
  return applicable;
}

/** Whether this client and port would meet a route of a VirtualService, were what it delegates to there. */
export function lacksDelegate(
  view: SnapshotView,
  virtualService: StoredObject<"VirtualService">,
  client: RoutingClient,
  port: number,
): boolean {
  const { spec, metadata } = virtualService;
  return expandDelegates(view, virtualService).problems.some(({ index, absent }) => {
    const { match = [] } = spec.http[index] ?? {};
    return (
      absent &&
      (match.length === 0 || match.some((one) => meets(one, metadata.namespace, client, port, undefined)))
    );
  });
}

/** Whether every request meets it. */
export function isCatchAll(match: HttpMatch | undefined): boolean {
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

/** A match that names gateways asks for nothing else of its source, as in Istio. */
function meets(
  match: HttpMatch,
  namespace: string,
  client: RoutingClient,
  port: number,
  gateway: string = MESH_GATEWAY,
): boolean {
  if (match.port !== undefined && match.port !== port) return false;
  if (match.gateways.length > 0) return match.gateways.some((one) => gatewayKey(one, namespace) === gateway);
  return (
    (match.sourceNamespace === "" || match.sourceNamespace === client.namespace) &&
    selects(match.sourceLabels, client.labels)
  );
}
