import type { HttpConnectionManager, HttpFilter } from "../../model/listener.ts";
import { compileFault, type FaultFilter } from "../../tables/fault.ts";
import { compileRbac, type RbacFilter } from "../../tables/rbac.ts";
import { compileRouteTable, type RouteTable } from "../../tables/route-table.ts";
import type { Tables } from "../connection.ts";

type CompiledHttpFilter =
  | { readonly kind: "rbac"; readonly judge: RbacFilter }
  | { readonly kind: "fault"; readonly inject: FaultFilter | undefined }
  | { readonly kind: "cors" | "on-demand" };

/** An HTTP connection manager as the data path runs it. */
export interface CompiledManager {
  readonly model: HttpConnectionManager;
  /** In order; the router, always last, is not among them. */
  readonly filters: readonly CompiledHttpFilter[];
  routes(tables: Tables): RouteTable | undefined;
}

export function compileManager(model: HttpConnectionManager): CompiledManager {
  const { routes } = model;
  const inline = routes.kind === "inline" ? compileRouteTable(routes.config) : undefined;
  return {
    model,
    filters: model.filters.flatMap((filter) => compileFilter(filter)),
    routes: (tables) => (routes.kind === "rds" ? tables.routes(routes.name) : inline),
  };
}

function compileFilter(filter: HttpFilter): CompiledHttpFilter[] {
  switch (filter.kind) {
    case "rbac":
      return [{ kind: "rbac", judge: compileRbac(filter.rbac) }];
    case "fault":
      return [{ kind: "fault", inject: filter.fault && compileFault(filter.fault) }];
    case "cors":
    case "on-demand":
      return [{ kind: filter.kind }];
    case "router":
      return [];
    default:
      return filter satisfies never;
  }
}
