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
  await route(exchange, routed.accepted, routed.decision);
}

interface Routed {
  accepted: AcceptedRequest;
  decision: Decision | undefined;
}

type Filter = Exchange["manager"]["filters"][number];
type Authorizer = Extract<Filter, { kind: "rbac" }>["authorize"];
type Question = Extract<Filter, { kind: "ext-authz" }>["ask"];
type Authenticator = Extract<Filter, { kind: "jwt" }>["authenticate"];
type FaultInjector = Extract<Filter, { kind: "fault" }>["inject"];

function decide({ manager, deps }: Exchange, { facts }: AcceptedRequest): Decision | undefined {
  return manager.routes(deps.tables)?.decide(facts, deps.random);
}

/** True when the request is answered. */
function runFilter(exchange: Exchange, routed: Routed, filter: Filter): boolean | Promise<boolean> {
  const { accepted, decision } = routed;
  switch (filter.kind) {
    case "rbac":
      return refuse(exchange, accepted, filter.authorize);
    case "ext-authz":
      return askAuthorizer(exchange, routed, filter.ask);
    case "jwt":
      return authenticate(exchange, routed, filter.authenticate);
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
  const { manager, deps, gone } = exchange;
  const table = manager.routes(deps.tables);
  if (!table?.onDemand) return false;
  await deps.tables.askForHost(table.name, routed.accepted.facts.authority, gone);
  redecide(exchange, routed);
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

function refuse(exchange: Exchange, accepted: AcceptedRequest, authorize: Authorizer): boolean {
  const reply = authorize(exchange, accepted);
  if (reply !== undefined) replyLocally(exchange, reply);
  return reply !== undefined;
}

async function askAuthorizer(exchange: Exchange, routed: Routed, ask: Question): Promise<boolean> {
  const answer = await ask(exchange, routed.accepted);
  if (answer.kind === "refused") {
    replyLocally(exchange, answer.reply);
    return true;
  }
  if (answer.routeAgain) redecide(exchange, routed);
  return exchange.gone.aborted;
}

function authenticate(exchange: Exchange, routed: Routed, check: Authenticator): boolean {
  const outcome = check(routed.accepted, exchange.deps.clock.now());
  if (outcome.kind === "refused") {
    replyLocally(exchange, outcome.reply);
    return true;
  }
  const { accepted, routeAgain, issuer } = outcome;
  exchange.record.issuer = issuer;
  // The query that a route was found with may have lost its token.
  const other = accepted.facts.query !== routed.accepted.facts.query;
  routed.accepted = accepted;
  if (routeAgain || other) redecide(exchange, routed);
  return false;
}

function redecide(exchange: Exchange, routed: Routed): void {
  routed.decision = decide(exchange, routed.accepted);
  exchange.record.route = routed.decision?.route ?? "";
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
