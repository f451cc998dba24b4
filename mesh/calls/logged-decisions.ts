import type { Address } from "../xds/gen/envoy/config/core/v3/address.ts";
import {
  type AccessLogCommon,
  AccessLogType,
  type HTTPAccessLogEntry,
  type TCPAccessLogEntry,
} from "../xds/gen/envoy/data/accesslog/v3/accesslog.ts";
import { ASKED_RESULTS, AUDIT_RESULTS, DRY_RUN_RESULTS, ruleOfAsked } from "../xds/names.ts";
import { methodOf, sourceOf } from "./log-entry.ts";
import type { DecidedCall, PolicyDecision } from "./policy-decision.ts";

/** What policies decided about one call, as Envoy's log of it tells. */
export interface LoggedDecisions {
  readonly call: DecidedCall;
  readonly decisions: readonly PolicyDecision[];
}

/** Response code details, or termination details of a connection. What else is refused is no policy's decision. */
const DENIED = /^rbac_access_denied_matched_policy\[(.+)\]$/;
/** Of what an authorizer said no to, or said nothing about. */
const AUTHORIZERS = { ext_authz_denied: "refused", ext_authz_error: "silent" } as const;
const LONGEST = { policy: 600, path: 256 } as const;

type Results = Readonly<Record<string, unknown>>;

/**
 * Empty for what the built-in proxy tells: it counts and logs its decisions itself, and its entries name none. Of a
 * request that was allowed Envoy names the policy since it has filled in `enforced_effective_policy_id`.
 */
export function readHttpDecisions(entry: HTTPAccessLogEntry): LoggedDecisions | undefined {
  const { commonProperties: common, request, response } = entry;
  if (common === undefined) return undefined;
  const results = resultsOf(common, "envoy.filters.http.rbac");
  const refused = refusal(response?.responseCodeDetails ?? "", results);
  const decisions = [
    ...inForce(results, AUDIT_RESULTS).map((one) => ({ ...one, result: "audited" as const })),
    ...(refused === undefined ? inForce(results, "") : [refused]),
    ...inDryRun(results),
  ];
  const [path = ""] = (request?.path ?? "").split(/[?#]/, 1);
  const method = methodOf(request);
  return { call: { ...callOf(common), method, path: path.slice(0, LONGEST.path) }, decisions };
}

/** Envoy says of a connection who refused it, and what a dry run came to; not which policy let it in or audited it. */
export function readTcpDecisions({
  commonProperties: common,
}: TCPAccessLogEntry): LoggedDecisions | undefined {
  if (common === undefined || common.accessLogType === AccessLogType.TcpPeriodic) return undefined;
  const results = resultsOf(common, "envoy.filters.network.rbac");
  const refused = refusal(common.connectionTerminationDetails, results);
  const tried = inDryRun(results);
  return {
    call: { ...callOf(common), method: "", path: "" },
    decisions: [...(refused === undefined ? [] : [refused]), ...tried],
  };
}

function refusal(details: string, results: Results): PolicyDecision | undefined {
  if (details === "ext_authz_denied" || details === "ext_authz_error") {
    // The last rules that had somebody asked are those of who said no: after that nobody else is.
    const rule = ruleOfAsked(results[`${ASKED_RESULTS}shadow_effective_policy_id`]);
    return rule === undefined
      ? undefined
      : { ...decision(rule, "denied", true), authorizer: AUTHORIZERS[details] };
  }
  const policy = DENIED.exec(details)?.[1];
  return policy === undefined ? undefined : decision(policy, "denied", true);
}

/** The policy that let a request in, where one had to. */
function inForce(results: Results, prefix: string): readonly PolicyDecision[] {
  const policy = results[`${prefix}enforced_effective_policy_id`];
  const allowed = results[`${prefix}enforced_engine_result`] === "allowed";
  return typeof policy === "string" && allowed ? [decision(policy, "allowed", true)] : [];
}

function inDryRun(results: Results): readonly PolicyDecision[] {
  return Object.values(DRY_RUN_RESULTS).flatMap((prefix) => {
    const policy = results[`${prefix}shadow_effective_policy_id`];
    const result = results[`${prefix}shadow_engine_result`];
    if (result === "denied") return [decision(typeof policy === "string" ? policy : "none", "denied", false)];
    return typeof policy === "string" ? [decision(policy, "allowed", false)] : [];
  });
}

function decision(policy: string, result: PolicyDecision["result"], enforced: boolean): PolicyDecision {
  return { policy: policy.slice(0, LONGEST.policy), result, enforced };
}

function resultsOf({ metadata }: AccessLogCommon, filter: string): Results {
  return metadata?.filterMetadata[filter] ?? {};
}

function callOf(common: AccessLogCommon): Pick<DecidedCall, "client" | "from" | "at"> {
  return {
    client: sourceOf(common),
    from: placeOf(common.downstreamRemoteAddress),
    at: placeOf(common.downstreamLocalAddress),
  };
}

function placeOf(address: Address | undefined): string {
  const { address: ip = "", portValue = 0 } = address?.socketAddress ?? {};
  return `${ip}:${portValue}`;
}
