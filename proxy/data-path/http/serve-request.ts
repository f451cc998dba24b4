import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { Decision } from "../../tables/route-table.ts";
import { type AcceptedRequest, acceptRequest, type Exchange, replyLocally } from "./exchange.ts";
import { forwardRequest } from "./forward.ts";

/** Takes a request through filters and routing. Never rejects: whatever goes wrong is an answer. */
export async function serveRequest(exchange: Exchange): Promise<void> {
  const accepted = acceptRequest(exchange);
  if (accepted === undefined) return;
  const { manager, deps } = exchange;
  const decision = manager.routes(deps.tables)?.decide(accepted.facts, deps.random);
  exchange.record.route = decision?.route ?? "";
  for (const filter of manager.filters) {
    const done =
      filter.kind === "rbac"
        ? deny(exchange, accepted, filter.judge)
        : await injectFault(exchange, accepted, decision, filter.inject);
    if (done) return;
  }
  await route(exchange, accepted, decision);
}

type RbacJudge = Extract<Exchange["manager"]["filters"][number], { kind: "rbac" }>["judge"];
type FaultInjector = Extract<Exchange["manager"]["filters"][number], { kind: "fault" }>["inject"];

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
async function injectFault(
  exchange: Exchange,
  { facts }: AcceptedRequest,
  decision: Decision | undefined,
  fallback: FaultInjector,
): Promise<boolean> {
  if (decision?.kind !== "forward") return false;
  const { deps, record, gone } = exchange;
  const fault = (decision.fault ?? fallback)?.(facts, decision.cluster, deps.random);
  if (fault === undefined) return false;
  if (fault.delayMs > 0) {
    record.flags.add("DI");
    await deps.clock.sleep(fault.delayMs, gone);
    if (gone.aborted) return true;
  }
  if (fault.abort === undefined) return false;
  const headers = new HeaderList();
  if (fault.abort.grpcStatus !== undefined) {
    headers.append("content-type", "application/grpc");
    headers.append("grpc-status", String(fault.abort.grpcStatus));
  }
  replyLocally(exchange, {
    status: fault.abort.status,
    headers,
    ...(fault.abort.grpcStatus === undefined ? { body: "fault filter abort" } : {}),
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
