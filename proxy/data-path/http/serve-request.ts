import type { InjectedFault } from "../../tables/fault.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { Decision } from "../../tables/route-table.ts";
import { type AcceptedRequest, acceptRequest } from "./accept-request.ts";
import type { Exchange } from "./exchange.ts";
import { forwardRequest } from "./forward.ts";
import { replyLocally } from "./local-reply.ts";

/** Takes a request through filters and routing. Never throws: whatever goes wrong is an answer. */
export function serveRequest(exchange: Exchange): void {
  try {
    const accepted = acceptRequest(exchange);
    if (accepted === undefined) return;
    const routed: Routed = { accepted, decision: decide(exchange, accepted) };
    noteDecision(exchange, routed);
    runFilters(exchange, routed, 0);
  } catch {
    replyInternal(exchange);
  }
}

/** The last resort: a defect here costs this request, not the process. */
function replyInternal(exchange: Exchange): void {
  replyLocally(exchange, { status: 500, details: "internal", close: true });
}

/** Runs the filters from this one on, and then routes. Only what waits is waited for. */
function runFilters(exchange: Exchange, routed: Routed, from: number): void {
  const { filters } = exchange.manager;
  for (let index = from; index < filters.length; index++) {
    const filter = filters[index];
    const done = filter !== undefined && runFilter(exchange, routed, filter);
    if (done === true) return;
    if (done !== false) {
      done
        .then((isAnswered) => (isAnswered ? undefined : runFilters(exchange, routed, index + 1)))
        .catch(() => replyInternal(exchange));
      return;
    }
  }
  route(exchange, routed.accepted, routed.decision);
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
  const { manager, deps } = exchange;
  const table = manager.routes(deps.tables);
  if (!table?.onDemand) return false;
  await deps.tables.askForHost(table.name, routed.accepted.facts.authority, exchange.gone);
  redecide(exchange, routed);
  return exchange.over;
}

function answerPreflight(
  exchange: Exchange,
  { facts }: AcceptedRequest,
  decision: Decision | undefined,
): boolean {
  if (decision?.kind !== "forward") return false;
  const verdict = decision.cors?.(facts, exchange.deps.random);
  if (verdict === undefined) return false;
  exchange.addToAnswer(verdict.headers);
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
  return exchange.over;
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
  noteDecision(exchange, routed);
}

function noteDecision({ record }: Exchange, { decision }: Routed): void {
  record.route = decision?.route ?? "";
  record.upstream.cluster = decision?.kind === "forward" ? decision.cluster : "";
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
  exchange.record.flags.add("DI");
  await exchange.deps.clock.sleep(fault.delayMs, exchange.gone);
  return exchange.over || aborted(exchange, fault);
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

function route(exchange: Exchange, accepted: AcceptedRequest, decision: Decision | undefined): void {
  if (decision === undefined) {
    replyLocally(exchange, { status: 404, flag: "NR", details: "route_not_found" });
    return;
  }
  if (decision.kind === "forward") {
    forwardRequest(exchange, accepted, decision);
    return;
  }
  const headers = new HeaderList();
  if (decision.kind === "redirect") headers.append("location", decision.location);
  applyEdits(headers, decision.edits, exchange);
  replyLocally(exchange, {
    status: decision.status,
    headers,
    ...(decision.kind === "respond" ? { body: decision.body } : {}),
    details: "direct_response",
  });
}
