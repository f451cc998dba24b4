import { finish } from "../../../mesh/lifecycle/slices.ts";
import type { HttpConnectionManager, HttpFilter } from "../../model/listener.ts";
import { compileFault, type FaultFilter } from "../../tables/fault.ts";
import { compileRouteTable, type RouteTable } from "../../tables/route-table.ts";
import type { CompiledLogs } from "../../telemetry/access-log/compiled-logs.ts";
import { type CompiledTracing, compileTracing } from "../../telemetry/tracing/compiled-tracing.ts";
import type { DataPathDeps, Tables } from "../connection.ts";
import { type AuthorizerQuestion, compileQuestion } from "./ask-authorizer.ts";
import { type Authenticator, compileJwt } from "./authenticate.ts";
import { type Authorizer, compileAuthorizer } from "./authorize.ts";
import { compileEdge, type EdgeGate } from "./edge-headers.ts";

type CompiledHttpFilter =
  | { readonly kind: "rbac"; readonly authorize: Authorizer }
  | { readonly kind: "ext-authz"; readonly ask: AuthorizerQuestion }
  | { readonly kind: "jwt"; readonly authenticate: Authenticator }
  | { readonly kind: "fault"; readonly inject: FaultFilter | undefined }
  | { readonly kind: "cors" | "on-demand" };

/** An HTTP connection manager as the data path runs it. */
export interface CompiledManager {
  readonly model: HttpConnectionManager;
  /** Undefined: callers are of the mesh. */
  readonly edge: EdgeGate | undefined;
  readonly logs: CompiledLogs;
  readonly tracing: CompiledTracing | undefined;
  /** In order; the router, always last, is not among them. */
  readonly filters: readonly CompiledHttpFilter[];
  routes(tables: Tables): RouteTable | undefined;
}

export function compileManager(
  model: HttpConnectionManager,
  logs: CompiledLogs,
  { spans, random }: Pick<DataPathDeps, "spans" | "random">,
): CompiledManager {
  const { routes } = model;
  const inline = routes.kind === "inline" ? finish(compileRouteTable(routes.config)) : undefined;
  return {
    model,
    edge: model.edge && compileEdge(model.edge),
    logs,
    tracing: model.tracing && compileTracing(model.tracing, random, spans.receiver(model.tracing.tracer)),
    filters: model.filters.flatMap((filter) => compileFilter(filter)),
    routes: (tables) => (routes.kind === "rds" ? tables.routes(routes.name) : inline),
  };
}

function compileFilter(filter: HttpFilter): CompiledHttpFilter[] {
  switch (filter.kind) {
    case "rbac":
      return [{ kind: "rbac", authorize: compileAuthorizer(filter.rbac) }];
    case "ext-authz":
      return [{ kind: "ext-authz", ask: compileQuestion(filter.authorizer) }];
    case "jwt":
      return [{ kind: "jwt", authenticate: compileJwt(filter.authentication) }];
    case "fault":
      return [{ kind: "fault", inject: filter.fault && compileFault(filter.fault) }];
    case "cors":
    case "on-demand":
      return [{ kind: filter.kind }];
    case "dynamic-dns":
    case "router":
      return [];
    default:
      return filter satisfies never;
  }
}
