import type { InjectedFault } from "../../tables/fault.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { Decision } from "../../tables/route-table.ts";
import { type AcceptedRequest, acceptRequest, addToAnswer, type Exchange, replyLocally } from "./exchange.ts";
import { forwardRequest } from "./forward.ts";

/** Takes a request through filters and routing. Never rejects: whatever goes wrong is an answer. */
export async function serveRequest(exchange: Exchange): Promise<void> {
  const accepted = acceptRequest(exchange);
  if (accepted === undefined) return;
  const { manager, record } = exchange;
  const routed: Routed = { accepted, decision: decide(exchange, accepted) };
  record.route = routed.decision?.route ?? "";
  for (const filter of manager.filters) {
    // Only what waits is awaited.
    const done = runFilter(exchange, routed, filter);
    if (typeof done === "boolean" ? done : await done) return;
  }
  await route(exchange, accepted, routed.decision);
}

interface Routed {
  readonly accepted: AcceptedRequest;
  decision: Decision | undefined;
}

type Filter = Exchange["manager"]["filters"][number];
type RbacJudge = Extract<Filter, { kind: "rbac" }>["judge"];
type FaultInjector = Extract<Filter, { kind: "fault" }>["inject"];

function decide({ manager, deps }: Exchange, { facts }: AcceptedRequest): Decision | undefined {
  return manager.routes(deps.tables)?.decide(facts, deps.random);
}

/** True when the request is answered. */
function runFilter(exchange: Exchange, routed: Routed, filter: Filter): boolean | Promise<boolean> {
  const { accepted, decision } = routed;
  switch (filter.kind) {
    case "rbac":
      return deny(exchange, accepted, filter.judge);
    case "fault":
      return injectFault(exchange, accepted, decision, filter.inject);
    case "cors":
      return answerPreflight(exchange, accepted, decision);
    case "on-demand":
      return decision === undefined && askForHost(exchange, routed);
    default:
      return filter satisfies never;
  }
}

/** Holds the request until the virtual host that it is for is known, or there is none. */
async function askForHost(exchange: Exchange, routed: Routed): Promise<boolean> {
  const { manager, deps, record, gone } = exchange;
  const table = manager.routes(deps.tables);
  if (!table?.onDemand) return false;
  await deps.tables.askForHost(table.name, routed.accepted.facts.authority, gone);
  routed.decision = decide(exchange, routed.accepted);
  record.route = routed.decision?.route ?? "";
  return gone.aborted;
}

function answerPreflight(
  exchange: Exchange,
  { facts }: AcceptedRequest,
  decision: Decision | undefined,
): boolean {
  if (decision?.kind !== "forward") return false;
  const verdict = decision.cors?.(facts, exchange.deps.random);
  if (verdict === undefined) return false;
  addToAnswer(exchange, verdict.headers);
  if (verdict.kind === "permitted") return false;
  replyLocally(exchange, { status: 200, details: "cors_preflight" });
  return true;
}

function deny(exchange: Exchange, { facts }: AcceptedRequest, judge: RbacJudge): boolean {
  const verdict = judge({ connection: exchange.connection.facts, request: facts });
  if (verdict.allowed) return false;
  replyLocally(exchange, {
    status: 403,
    body: "RBAC: access denied",
    details: `rbac_access_denied_matched_policy[${verdict.policy}]`,
  });
  return true;
}

/** True when the request has been aborted on purpose. */
function injectFault(
  exchange: Exchange,
  { facts }: AcceptedRequest,
  decision: Decision | undefined,
  fallback: FaultInjector,
): boolean | Promise<boolean> {
  if (decision?.kind !== "forward") return false;
  const fault = (decision.fault ?? fallback)?.(facts, decision.cluster, exchange.deps.random);
  if (fault === undefined) return false;
  return fault.delayMs > 0 ? delayed(exchange, fault) : aborted(exchange, fault);
}

async function delayed(exchange: Exchange, fault: InjectedFault): Promise<boolean> {
  const { deps, record, gone } = exchange;
  record.flags.add("DI");
  await deps.clock.sleep(fault.delayMs, gone);
  return gone.aborted || aborted(exchange, fault);
}

function aborted(exchange: Exchange, { abort }: InjectedFault): boolean {
  if (abort === undefined) return false;
  const { status, grpcStatus } = abort;
  replyLocally(exchange, {
    status,
    ...(grpcStatus === undefined ? {} : { grpcStatus }),
    body: "fault filter abort",
    flag: "FI",
    details: "fault_filter_abort",
  });
  return true;
}

async function route(
  exchange: Exchange,
  accepted: AcceptedRequest,
  decision: Decision | undefined,
): Promise<void> {
  if (decision === undefined) {
    replyLocally(exchange, { status: 404, flag: "NR", details: "route_not_found" });
    return;
  }
  if (decision.kind === "forward") {
    await forwardRequest(exchange, accepted, decision);
    return;
  }
  const headers = new HeaderList();
  if (decision.kind === "redirect") headers.append("location", decision.location);
  applyEdits(headers, decision.edits);
  replyLocally(exchange, {
    status: decision.status,
    headers,
    ...(decision.kind === "respond" ? { body: decision.body } : {}),
    details: "direct_response",
  });
}
