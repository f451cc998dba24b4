import type { ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";

/** What a data plane has of each type; one that it never took is missing. */
export type Configuration = ReadonlyMap<TypeUrl, ResourceMap>;

/** Of secrets these are the credentials of gateways; a workload's own key is the identity store's and never comes here. */
export const STORED_TYPES: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.extension,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  TYPE_URL.hostName,
  TYPE_URL.secret,
];
