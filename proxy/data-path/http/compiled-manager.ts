import type { HttpConnectionManager } from "../../model/listener.ts";
import { compileFault, type FaultFilter } from "../../tables/fault.ts";
import { compileRbac, type RbacFilter } from "../../tables/rbac.ts";
import { compileRouteTable, type RouteTable } from "../../tables/route-table.ts";
import type { Tables } from "../connection.ts";

type CompiledHttpFilter =
  | { readonly kind: "rbac"; readonly judge: RbacFilter }
  | { readonly kind: "fault"; readonly inject: FaultFilter | undefined };

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
    filters: model.filters.flatMap((filter): CompiledHttpFilter[] => {
      if (filter.kind === "rbac") return [{ kind: "rbac", judge: compileRbac(filter.rbac) }];
      if (filter.kind === "fault")
        return [{ kind: "fault", inject: filter.fault && compileFault(filter.fault) }];
      return [];
    }),
    routes: (tables) => (routes.kind === "rds" ? tables.routes(routes.name) : inline),
  };
}
