import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { authorizationPoliciesFor } from "../../policy/authorization.ts";
import type { WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { jwtFilters } from "../authn/jwt-filter.ts";
import { httpRbacFilter, networkRbacFilter } from "../filters/security-filters.ts";
import type { Scope } from "../memo.ts";
import { authorizersOf } from "./authorizers.ts";
import { httpAuthorizerFilters, networkAuthorizerFilters } from "./ext-authz.ts";
import type { PolicyPort } from "./permission.ts";
import { translatePolicies } from "./policies.ts";
import { trustDomainsOf } from "./trust-domains.ts";

type Guarded = Pick<WorkloadConfig, "namespace" | "labels" | "role">;

/**
 * What stands before HTTP on a workload's port, in Istio's order: authorizers that are asked (CUSTOM), the tokens of
 * callers, then AUDIT, DENY and ALLOW. Without a port: one to any.
 */
export function httpGuards(
  scope: Scope,
  workload: Guarded,
  port: PolicyPort | undefined,
  options: { readonly routesByClaims: boolean },
): readonly HttpFilter[] {
  const policies = authorizationPoliciesFor(scope.view, workload);
  const target = { trustDomains: trustDomainsOf(scope.view.settings), port, http: true };
  const asked = authorizersOf(scope, workload, policies.CUSTOM, target);
  return [
    ...httpAuthorizerFilters(asked.authorizers, target, scope.warn),
    ...jwtFilters(scope, workload, options),
    ...translatePolicies({ ...policies, CUSTOM: asked.unanswered }, target, scope.warn).map(httpRbacFilter),
  ];
}

/** What stands before a connection whose content nobody reads. Undefined: one to any port. */
export function networkGuards(
  scope: Scope,
  workload: Guarded,
  port: PolicyPort | undefined,
): readonly Filter[] {
  const policies = authorizationPoliciesFor(scope.view, workload);
  const target = { trustDomains: trustDomainsOf(scope.view.settings), port, http: false };
  const asked = authorizersOf(scope, workload, policies.CUSTOM, target);
  return [
    ...networkAuthorizerFilters(asked.authorizers, target, scope.warn),
    ...translatePolicies({ ...policies, CUSTOM: asked.unanswered }, target, scope.warn).map(
      networkRbacFilter,
    ),
  ];
}
