import { isIP } from "node:net";
import type { Filter } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import type { RBAC } from "../../mesh/xds/gen/envoy/config/rbac/v3/rbac.ts";
import { ExtAuthz as HttpExtAuthz } from "../../mesh/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts";
import { JwtAuthentication } from "../../mesh/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import { RBAC as HttpRbac } from "../../mesh/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import { ExtAuthz as NetworkExtAuthz } from "../../mesh/xds/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz.ts";
import type { HttpConnectionManager } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { RBAC as NetworkRbac } from "../../mesh/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac.ts";
import { ASKED_RESULTS } from "../../mesh/xds/names.ts";
import { NOT_UNDERSTOOD } from "../translate/authn/jwt-metadata.ts";
import type { Call } from "./call.ts";
import type { HttpRequest } from "./http-request.ts";
import { checkTokens, recallToken } from "./jwt.ts";
import { matchMetadata } from "./match-metadata.ts";
import { evaluateRbac, type RbacSubject } from "./rbac.ts";
import { type Failure, failure, type PolicyStep } from "./verdict.ts";
import { unpack } from "./xds-config.ts";

/** What the filters that guard a listener make of a call: each with what it says, up to the one that refuses. */
export interface SecurityResult {
  readonly steps: readonly PolicyStep[];
  /** The request as the routes see it, with what the filters have found out about it. */
  readonly request: HttpRequest;
  readonly refusal: Failure | undefined;
}

const DENIED = "RBAC: access denied";

export function guardRequest(
  { httpFilters, useRemoteAddress = false }: HttpConnectionManager,
  call: Call,
  asked: HttpRequest,
  nowMs: number | undefined,
): SecurityResult {
  const clientAddress = (useRemoteAddress ? undefined : forwardedAddress(asked)) ?? call.source.address;
  const steps: PolicyStep[] = [];
  let request = asked;
  for (const { typedConfig } of httpFilters) {
    const jwt = unpack(typedConfig, "JwtAuthentication", JwtAuthentication);
    if (jwt !== undefined) {
      const tokens =
        call.hidden === undefined
          ? checkTokens(jwt, request, nowMs)
          : recallToken(jwt, request, call.hidden.token);
      const refused = tokens.kind === "refused";
      const told = refused ? tokens.reason : tokens.principals.join(", ") || "there is no token";
      steps.push({ kind: "authentication", allowed: !refused, told });
      if (refused)
        return { steps, request, refusal: failure("unauthenticated", tokens.reason, tokens.status) };
      request = tokens.request;
    }
    const authorizer = unpack(typedConfig, "ExtAuthz", HttpExtAuthz);
    if (authorizer !== undefined) steps.push(...questions(authorizer, request));
    const rbac = unpack(typedConfig, "v3.RBAC", HttpRbac);
    if (rbac === undefined) continue;
    const { refused, told } = judge(rbac, { call, request, clientAddress });
    const asked = rbac.shadowRulesStatPrefix === ASKED_RESULTS;
    if (asked) request = withMetadata(request, matchedPolicy(told));
    steps.push(...(asked ? perhapsAsked(told) : told));
    if (refused) return { steps, request, refusal: failure("denied", DENIED, 403) };
  }
  return { steps, request, refusal: undefined };
}

/** The same for a connection that carries no request that anybody reads. */
export function guardConnection(
  filters: readonly Filter[],
  call: Call,
): Pick<SecurityResult, "steps" | "refusal"> {
  const steps: PolicyStep[] = [];
  let asked: string | undefined;
  for (const { typedConfig } of filters) {
    const authorizer = unpack(typedConfig, "ExtAuthz", NetworkExtAuthz);
    if (authorizer !== undefined && asked !== undefined) {
      const cluster = authorizer.grpcService?.envoyGrpc?.clusterName ?? "";
      steps.push({ kind: "question", cluster, policy: asked });
    }
    const rbac = unpack(typedConfig, "v3.RBAC", NetworkRbac);
    if (rbac === undefined) continue;
    const { refused, told } = judge(rbac, { call, request: undefined, clientAddress: call.source.address });
    const asks = rbac.shadowRulesStatPrefix === ASKED_RESULTS;
    if (asks) asked = matchedPolicy(told);
    steps.push(...(asks ? perhapsAsked(told) : told));
    if (refused) return { steps, refusal: failure("denied", "a policy closes the connection") };
  }
  return { steps, refusal: undefined };
}

const RBAC_METADATA = "envoy.filters.http.rbac";
const ASKED_FIELD = `${ASKED_RESULTS}shadow_effective_policy_id`;

function matchedPolicy(told: readonly PolicyStep[]): string | undefined {
  return told.map((step) => (step.kind === "authorization" ? step.policy : undefined)).find(Boolean);
}

/** A policy that may send a call to an authorizer: it asks for what is hidden of it. */
function perhapsAsked(told: readonly PolicyStep[]): readonly PolicyStep[] {
  return told.flatMap((step) => {
    const [policy] = step.kind === "authorization" ? step.undecided : [];
    return policy === undefined
      ? []
      : [{ kind: "question", cluster: "perhaps an authorizer", policy } as const];
  });
}

function withMetadata(request: HttpRequest, policy: string | undefined): HttpRequest {
  if (policy === undefined) return request;
  return { ...request, metadata: { ...request.metadata, [RBAC_METADATA]: { [ASKED_FIELD]: policy } } };
}

function questions(
  { filterEnabledMetadata: enabled, grpcService, httpService }: HttpExtAuthz,
  { metadata }: HttpRequest,
): readonly PolicyStep[] {
  if (enabled !== undefined && !matchMetadata(enabled, metadata)) return [];
  const cluster = grpcService?.envoyGrpc?.clusterName ?? httpService?.serverUri?.cluster ?? "";
  const matched =
    enabled && Object.values(metadata[RBAC_METADATA] ?? {}).find((one) => typeof one === "string");
  return [{ kind: "question", cluster, policy: typeof matched === "string" ? matched : "" }];
}

/** The last in x-forwarded-for, which an edge proxy does not believe. */
function forwardedAddress(request: HttpRequest): string | undefined {
  const last = request.headerValues("x-forwarded-for").join(",").split(",").at(-1)?.trim() ?? "";
  return isIP(last) === 0 ? undefined : last;
}

interface RbacFilter {
  readonly rules: RBAC | undefined;
  readonly shadowRules: RBAC | undefined;
}

function judge(
  { rules, shadowRules }: RbacFilter,
  subject: RbacSubject,
): { readonly refused: boolean; readonly told: readonly PolicyStep[] } {
  const imagined = shadowRules && evaluateRbac(shadowRules, subject);
  const enforced = rules && evaluateRbac(rules, subject);
  const told: PolicyStep[] = [];
  if (imagined) told.push({ kind: "authorization", shadow: true, ...imagined });
  // The rule about headers of tokens is no policy of anybody: it is told when it refuses.
  const isOwn = rules !== undefined && Object.keys(rules.policies).every((name) => name === NOT_UNDERSTOOD);
  if (enforced && !(isOwn && enforced.allowed))
    told.push({ kind: "authorization", shadow: false, ...enforced });
  return { told, refused: enforced?.allowed === false };
}
