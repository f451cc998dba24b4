import { ApiVersion } from "../../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import type { Filter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { Filter as NetworkFilter } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { RBAC, RBAC_Action } from "../../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { ExtAuthz as HttpExtAuthz } from "../../../mesh/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import { ExtAuthz as NetworkExtAuthz } from "../../../mesh/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz.ts";
import { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { MetadataMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import { ListStringMatcher } from "../../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { StatusCode } from "../../../mesh/xds/gen/envoy/type/v3/http_status.ts";
import { ASKED_RESULTS, askedPrefix } from "../../../mesh/xds/names.ts";
import type { PublishWarning } from "../../snapshot/publish-report.ts";
import { pack } from "../any.ts";
import { duration } from "../durations.ts";
import {
  HTTP_EXT_AUTHZ,
  httpRbacFilter,
  NETWORK_EXT_AUTHZ,
  networkRbacFilter,
  type RbacFilterRules,
} from "../filters/security-filters.ts";
import type { Authorizer } from "./authorizers.ts";
import { type PolicyTarget, translateRules } from "./policies.ts";
import { stringMatcher, valueMatch } from "./value-match.ts";

const HTTP_RBAC = "envoy.filters.http.rbac";
const NETWORK_RBAC = "envoy.filters.network.rbac";

type Warn = (warning: PublishWarning) => void;

/** For each authorizer: which requests it is asked about (shadow rules that decide nothing), and the question itself. */
export function httpAuthorizerFilters(
  authorizers: readonly Authorizer[],
  target: PolicyTarget,
  warn: Warn,
): readonly HttpFilter[] {
  return authorizers.flatMap((authorizer) => [
    httpRbacFilter(askedAbout(authorizer, target, warn)),
    HttpFilter.fromPartial({
      name: "envoy.filters.http.ext_authz",
      typedConfig: pack(HTTP_EXT_AUTHZ, HttpExtAuthz, httpExtAuthz(authorizer)),
    }),
  ]);
}

/** The same on connections that carry no HTTP; these providers all speak gRPC. */
export function networkAuthorizerFilters(
  authorizers: readonly Authorizer[],
  target: PolicyTarget,
  warn: Warn,
): readonly Filter[] {
  return authorizers.flatMap((authorizer) => [
    networkRbacFilter(askedAbout(authorizer, target, warn)),
    NetworkFilter.fromPartial({
      name: "envoy.filters.network.ext_authz",
      typedConfig: pack(
        NETWORK_EXT_AUTHZ,
        NetworkExtAuthz,
        NetworkExtAuthz.fromPartial({
          statPrefix: "tcp.",
          grpcService: grpcService(authorizer),
          failureModeAllow: authorizer.provider.failOpen,
          transportApiVersion: ApiVersion.V3,
          filterEnabledMetadata: isAskedAbout(authorizer, NETWORK_RBAC),
        }),
      ),
    }),
  ]);
}

function askedAbout(authorizer: Authorizer, target: PolicyTarget, warn: Warn): RbacFilterRules {
  const policies = translateRules(
    authorizer.policies,
    target,
    "widen",
    warn,
    askedPrefix(authorizer.provider.name),
  );
  return {
    enforced: undefined,
    prefix: "",
    shadow: RBAC.fromPartial({ action: RBAC_Action.DENY, policies }),
    shadowPrefix: ASKED_RESULTS,
  };
}

function isAskedAbout(authorizer: Authorizer, filter: string): MetadataMatcher {
  return MetadataMatcher.fromPartial({
    filter,
    path: [{ key: `${ASKED_RESULTS}shadow_effective_policy_id` }],
    value: { stringMatch: { prefix: askedPrefix(authorizer.provider.name) } },
  });
}

function httpExtAuthz(authorizer: Authorizer): HttpExtAuthz {
  const { provider } = authorizer;
  const { body, headers } = provider;
  return HttpExtAuthz.fromPartial({
    ...(provider.protocol === "grpc"
      ? { grpcService: grpcService(authorizer) }
      : { httpService: httpService(authorizer), allowedHeaders: names(headers.inCheck) }),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: provider.failOpen,
    statusOnError: { code: provider.statusOnError as StatusCode },
    clearRouteCache: provider.clearRouteCache,
    ...(body === undefined
      ? {}
      : {
          withRequestBody: {
            maxRequestBytes: body.maxBytes,
            allowPartialMessage: body.allowPartial,
            packAsBytes: body.asBytes,
          },
        }),
    filterEnabledMetadata: isAskedAbout(authorizer, HTTP_RBAC),
  });
}

function grpcService({ provider, cluster }: Authorizer): NonNullable<HttpExtAuthz["grpcService"]> {
  // A bar is no character of an authority, which would be the cluster's name otherwise.
  const authority = cluster.replaceAll("|", "_.");
  return HttpExtAuthz.fromPartial({
    grpcService: { envoyGrpc: { clusterName: cluster, authority }, timeout: duration(provider.timeoutMs) },
  }).grpcService as NonNullable<HttpExtAuthz["grpcService"]>;
}

function httpService({ provider, cluster, hostname }: Authorizer): HttpExtAuthz["httpService"] {
  const { headers, additional, pathPrefix, timeoutMs } = provider;
  return HttpExtAuthz.fromPartial({
    httpService: {
      serverUri: { uri: `http://${hostname}`, cluster, timeout: duration(timeoutMs) },
      pathPrefix,
      authorizationRequest: {
        headersToAdd: Object.entries(additional).map(([key, value]) => ({ key, value })),
      },
      authorizationResponse: {
        allowedUpstreamHeaders: names(headers.toUpstreamOnAllow),
        allowedClientHeadersOnSuccess: names(headers.toDownstreamOnAllow),
        allowedClientHeaders: names(headers.toDownstreamOnDeny),
      },
    },
  }).httpService;
}

function names(patterns: readonly string[]): ListStringMatcher | undefined {
  if (patterns.length === 0) return undefined;
  return ListStringMatcher.fromPartial({
    patterns: patterns.map((pattern) => stringMatcher(valueMatch(pattern.toLowerCase()), true)),
  });
}
