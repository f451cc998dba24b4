import { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { RBAC as Rules } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { JwtAuthentication } from "../../../mesh/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import { RBAC as HttpRbac } from "../../../mesh/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { RBAC as NetworkRbac } from "../../../mesh/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import { pack } from "../any.ts";

export const HTTP_EXT_AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";
export const NETWORK_EXT_AUTHZ = "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz";

/** Rules that decide, and rules that are only counted (`shadow`). */
export interface RbacFilterRules {
  readonly enforced: Rules | undefined;
  /** Of the names under which the results are in the metadata; empty: as they are. */
  readonly prefix: string;
  readonly shadow: Rules | undefined;
  readonly shadowPrefix: string;
}

export function httpRbacFilter({ enforced, prefix, shadow, shadowPrefix }: RbacFilterRules): HttpFilter {
  const message = HttpRbac.fromPartial({
    ...(enforced === undefined ? {} : { rules: enforced, rulesStatPrefix: prefix }),
    ...(shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: shadowPrefix }),
  });
  return HttpFilter.fromPartial({
    name: "envoy.filters.http.rbac",
    typedConfig: pack("envoy.extensions.filters.http.rbac.v3.RBAC", HttpRbac, message),
  });
}

/** Leaves no results of the rules that decide. */
export function networkRbacFilter({ enforced, shadow, shadowPrefix }: RbacFilterRules): Filter {
  const message = NetworkRbac.fromPartial({
    statPrefix: "tcp.",
    ...(enforced === undefined ? {} : { rules: enforced }),
    ...(shadow === undefined ? {} : { shadowRules: shadow, shadowRulesStatPrefix: shadowPrefix }),
  });
  return Filter.fromPartial({
    name: "envoy.filters.network.rbac",
    typedConfig: pack("envoy.extensions.filters.network.rbac.v3.RBAC", NetworkRbac, message),
  });
}

export function jwtAuthnFilter(authentication: JwtAuthentication): HttpFilter {
  return HttpFilter.fromPartial({
    name: "envoy.filters.http.jwt_authn",
    typedConfig: pack(
      "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
      JwtAuthentication,
      authentication,
    ),
  });
}
