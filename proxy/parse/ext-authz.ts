import type { GrpcService } from "../../mesh/xds/gen/envoy/config/core/v3/grpc_service.ts";
import {
  type BufferSettings,
  type HttpService,
  ExtAuthz as Message,
} from "../../mesh/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import type { ListStringMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/string.ts";
import type { CheckedBody, ExtAuthz, GrpcAuthorization, HttpAuthorization } from "../model/ext-authz.ts";
import type { StringMatch } from "../model/match.ts";
import { parseStringMatch } from "./match.ts";
import { parseMetadataMatch } from "./metadata-match.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { decode, milliseconds } from "./values.ts";

export const EXT_AUTHZ_TYPE = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";

const DEFAULT_STATUS = 403;
const DEFAULT_TIMEOUT_MS = 200;

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
  return {
    enabledFor: from.filterEnabledMetadata && parseMetadataMatch(where, from.filterEnabledMetadata),
    service: parseService(where, from),
    body: from.withRequestBody && parseBody(where, from.withRequestBody),
    failOpen: from.failureModeAllow,
    statusOnError: from.statusOnError?.code || DEFAULT_STATUS,
    clearsRoute: from.clearRouteCache,
  };
}

function parseBody(where: string, from: BufferSettings): CheckedBody {
  onlyFields(`${where}: with_request_body`, from, ["maxRequestBytes", "allowPartialMessage", "packAsBytes"]);
  if (from.maxRequestBytes < 1) throw invalid(where, "a body of no bytes to ask about");
  return {
    maxBytes: from.maxRequestBytes,
    partial: from.allowPartialMessage,
    asBytes: from.packAsBytes,
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
