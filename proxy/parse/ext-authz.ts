import type { GrpcService } from "../../mesh/xds/gen/envoy/config/core/v3/grpc_service.ts";
import {
  type HttpService,
  ExtAuthz as Message,
} from "../../mesh/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import type { ListStringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { ExtAuthz, GrpcAuthorization, HttpAuthorization } from "../model/ext-authz.ts";
import type { StringMatch } from "../model/match.ts";
import { parseStringMatch } from "./match.ts";
import { parseMetadataMatch } from "./metadata-match.ts";
import { onlyFields, required, unsupported } from "./refuse.ts";
import { decode, milliseconds } from "./values.ts";

export const EXT_AUTHZ_TYPE = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";

const DEFAULT_STATUS = 403;
const DEFAULT_TIMEOUT_MS = 200;

/**
 * An authorizer that wants the body cannot be asked by this proxy: what it would be asked about is refused, which is what
 * the policy does while its authorizer is away.
 */
export function parseExtAuthz(where: string, bytes: Uint8Array): ExtAuthz {
  const from = decode(where, Message, bytes);
  onlyFields(where, from, [
    "grpcService",
    "httpService",
    "transportApiVersion",
    "failureModeAllow",
    "statusOnError",
    "clearRouteCache",
    "withRequestBody",
    "filterEnabledMetadata",
    "allowedHeaders",
  ]);
  const askable = from.withRequestBody === undefined;
  return {
    enabledFor: from.filterEnabledMetadata && parseMetadataMatch(where, from.filterEnabledMetadata),
    service: askable ? parseService(where, from) : undefined,
    failOpen: askable && from.failureModeAllow,
    statusOnError: from.statusOnError?.code || DEFAULT_STATUS,
    clearsRoute: from.clearRouteCache,
  };
}

function parseService(where: string, from: Message): ExtAuthz["service"] {
  if (from.grpcService === undefined) return parseHttpService(where, from.httpService, from.allowedHeaders);
  if (from.allowedHeaders) throw unsupported(where, "allowed_headers of an authorizer over gRPC");
  return parseGrpcService(where, from.grpcService);
}

function parseGrpcService(where: string, from: GrpcService): GrpcAuthorization {
  onlyFields(where, from, ["envoyGrpc", "timeout"]);
  const { envoyGrpc, timeout } = from;
  if (envoyGrpc) onlyFields(where, envoyGrpc, ["clusterName", "authority"]);
  const cluster = required(where, "envoy_grpc", envoyGrpc?.clusterName);
  return {
    kind: "grpc",
    cluster,
    authority: envoyGrpc?.authority || cluster,
    timeoutMs: milliseconds(timeout, DEFAULT_TIMEOUT_MS) || DEFAULT_TIMEOUT_MS,
  };
}

function parseHttpService(
  where: string,
  from: HttpService | undefined,
  allowed: ListStringMatcher | undefined,
): HttpAuthorization {
  const { serverUri, pathPrefix, authorizationRequest, authorizationResponse } = required(
    where,
    "http_service",
    from,
  );
  const cluster = required(where, "server_uri.cluster", serverUri?.cluster);
  if (authorizationRequest) onlyFields(where, authorizationRequest, ["headersToAdd"]);
  if (authorizationResponse) {
    onlyFields(where, authorizationResponse, [
      "allowedUpstreamHeaders",
      "allowedClientHeaders",
      "allowedClientHeadersOnSuccess",
    ]);
  }
  if (pathPrefix !== "" && !pathPrefix.startsWith("/"))
    throw unsupported(where, `path prefix "${pathPrefix}"`);
  const patterns = (list: ListStringMatcher | undefined): readonly StringMatch[] =>
    (list?.patterns ?? []).map((pattern) => parseStringMatch(where, pattern));
  return {
    kind: "http",
    cluster,
    timeoutMs: milliseconds(serverUri?.timeout, DEFAULT_TIMEOUT_MS) || DEFAULT_TIMEOUT_MS,
    pathPrefix,
    inCheck: patterns(allowed),
    additional: (authorizationRequest?.headersToAdd ?? []).map(({ key, value }) => [key, value]),
    toUpstreamOnAllow: patterns(authorizationResponse?.allowedUpstreamHeaders),
    toDownstreamOnAllow: patterns(authorizationResponse?.allowedClientHeadersOnSuccess),
    toDownstreamOnDeny: patterns(authorizationResponse?.allowedClientHeaders),
  };
}
