import type { RetryPolicy } from "../../model/route.ts";
import type { RequestFacts } from "../../tables/facts.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { type AttemptEnd, retryDelayMs, wantsRetry } from "../../tables/retry.ts";
import type { ForwardDecision } from "../../tables/route-table.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import { type AttemptResult, attemptRequest } from "./attempt.ts";
import { Deadlines } from "./deadlines.ts";
import { type AcceptedRequest, addToAnswer, type Exchange, replyLocally } from "./exchange.ts";
import { sendMirrors } from "./mirror.ts";
import { relayResponse } from "./relay-response.ts";
import { RequestBody } from "./request-body.ts";
import { relayUpgrade } from "./upgrade.ts";

/** Longest that a request waits for the endpoints of a cluster that has just appeared. */
const WARMING_MS = 5000;
const SAFE_TO_REPEAT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);
/** Methods of which nobody expects a body: they go without framing when they have none (RFC 9110 §8.6). */
const WITHOUT_BODY = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);
/** A pool may hold several connections that the server has closed for being idle. */
const MOST_STALE_CONNECTIONS = 3;

interface Forwarding {
  readonly exchange: Exchange;
  readonly decision: ForwardDecision;
  readonly cluster: UpstreamCluster;
  readonly headers: HeaderList;
  readonly body: RequestBody | undefined;
  readonly deadlines: Deadlines;
  readonly hash: bigint | undefined;
  readonly tried: Set<UpstreamHost>;
  avoidPriorities: ReadonlySet<number> | undefined;
  attempts: number;
  stale: number;
  /** It is one of the retries that the cluster counts. */
  retrying: boolean;
}

/** Sends a request to the cluster of its route and the answer back, with the route's retries and timeouts. */
export async function forwardRequest(
  exchange: Exchange,
  { facts, headers }: AcceptedRequest,
  decision: ForwardDecision,
): Promise<void> {
  const { deps, record } = exchange;
  record.upstream.cluster = decision.cluster;
  const cluster = deps.tables.cluster(decision.cluster);
  if (cluster === undefined) {
    const status = decision.action.clusterNotFoundStatus;
    replyLocally(exchange, { status, flag: "NC", details: "cluster_not_found" });
    return;
  }
  if (!cluster.warm) await Promise.race([cluster.whenWarm(), deps.clock.sleep(WARMING_MS, exchange.gone)]);
  if (cluster.counts.active >= cluster.model.limits.maxRequests) {
    replyLocally(exchange, overflow("request limit of the cluster"));
    return;
  }
  prepareHeaders(headers, exchange, decision, facts.path + facts.query);
  const idleMs = decision.action.idleTimeoutMs ?? exchange.manager.model.streamIdleTimeoutMs;
  const deadlines = new Deadlines(exchange.gone, { idleMs });
  const body = requestBody(exchange, decision.retry, deadlines);
  if (decision.action.mirrors.length > 0) sendMirrors(exchange, { decision, headers, body });
  deadlines.startRouteTimer(exchange.request, decision.action.timeoutMs);
  cluster.counts.active++;
  const forwarding: Forwarding = {
    exchange,
    decision,
    cluster,
    headers,
    body,
    deadlines,
    hash: hashOf(exchange, facts, decision),
    tried: new Set(),
    avoidPriorities: undefined,
    attempts: 0,
    stale: 0,
    retrying: false,
  };
  try {
    await run(forwarding);
  } finally {
    endRetry(forwarding);
    cluster.counts.active--;
    deadlines.stop();
  }
}

/** What the request goes to a host by; the answer brings the cookie that the client lacked for it. */
function hashOf(exchange: Exchange, facts: RequestFacts, decision: ForwardDecision): bigint | undefined {
  const hashed = decision.hash?.(facts, exchange.connection.facts);
  if (hashed === undefined) return undefined;
  addToAnswer(
    exchange,
    hashed.cookies.map((value) => ({ name: "set-cookie", value, action: "append" })),
  );
  return hashed.hash;
}

function prepareHeaders(
  headers: HeaderList,
  exchange: Exchange,
  decision: ForwardDecision,
  original: string,
): void {
  const { request } = exchange;
  if (decision.rewritten) headers.set("x-envoy-original-path", original);
  headers.delete("host");
  applyEdits(headers, decision.requestEdits);
  headers.set("host", decision.authority);
  // Framing and upgrade are said anew for the next hop, from what the parser understood.
  if (request.headers["transfer-encoding"] !== undefined) headers.set("transfer-encoding", "chunked");
  else if (!WITHOUT_BODY.has(exchange.record.method) && !headers.has("content-length")) {
    // Nothing said means no body; node:http would announce chunks that never come, and some servers refuse those.
    headers.set("content-length", "0");
  }
  if (exchange.upgrade) {
    headers.set("connection", "upgrade");
    headers.set("upgrade", exchange.upgrade.protocol);
  }
}

function requestBody(
  exchange: Exchange,
  retry: RetryPolicy | undefined,
  deadlines: Deadlines,
): RequestBody | undefined {
  const { request, record, upgrade } = exchange;
  const { "transfer-encoding": coding, "content-length": length } = request.headers;
  if (upgrade || (coding === undefined && (length === undefined || length === "0"))) return undefined;
  return new RequestBody(request, {
    keep: retry !== undefined || SAFE_TO_REPEAT.has(record.method),
    onBytes: (count) => {
      record.bytesReceived += count;
      deadlines.touch();
    },
  });
}

/** Attempts, one after the other, until one is delivered. */
async function run(forwarding: Forwarding): Promise<void> {
  const { exchange, cluster, tried, decision, hash } = forwarding;
  for (;;) {
    const avoid = decision.retry?.avoidPreviousHosts === false ? undefined : tried;
    leavePriorities(forwarding);
    const { avoidPriorities } = forwarding;
    const host = cluster.pick(exchange.deps.random, { hash, avoid, avoidPriorities });
    if (host === undefined) {
      replyLocally(exchange, {
        status: 503,
        body: "no healthy upstream",
        flag: "UH",
        details: "no_healthy_upstream",
      });
      return;
    }
    tried.add(host);
    if (await attemptOn(host, forwarding)) return;
  }
}

/** After every so many attempts: the priorities that were tried so far are left out (Envoy, "previous priorities"). */
function leavePriorities(forwarding: Forwarding): void {
  const { decision, attempts, tried } = forwarding;
  const after = decision.retry?.avoidPrioritiesAfter ?? 0;
  if (after === 0 || attempts === 0 || attempts % after !== 0) return;
  forwarding.avoidPriorities = new Set([...tried].map(({ endpoint }) => endpoint.priority));
}

/** True when the exchange is over, false when another attempt is wanted. */
async function attemptOn(host: UpstreamHost, forwarding: Forwarding): Promise<boolean> {
  const { exchange, decision, cluster, headers, body, deadlines } = forwarding;
  const { record, deps } = exchange;
  forwarding.attempts++;
  record.upstream.host = host.key;
  record.upstream.workload = host.endpoint.workload;
  if (decision.includeAttemptCount) headers.set("x-envoy-attempt-count", String(forwarding.attempts));
  host.active++;
  host.total++;
  cluster.counts.total++;
  const started = deps.clock.monotonic();
  try {
    const result = await attemptRequest({
      host,
      variant: cluster.variantOf(host, decision.authority, exchange.connection.facts),
      method: record.method,
      target: decision.target,
      headers: headers.toRaw(),
      body,
      perTryTimeoutMs: decision.retry?.perTryTimeoutMs ?? 0,
      signal: deadlines.signal,
    });
    if (result.kind === "failed") host.failures++;
    cluster.report(host, statusOf(result), deps.random);
    if (result.kind !== "failed") record.upstreamMs = deps.clock.monotonic() - started;
    if (await prepareRetry(result, forwarding)) {
      if (result.kind === "response") result.response.destroy();
      return false;
    }
    await deliver(result, forwarding);
    return true;
  } finally {
    host.active--;
  }
}

/** Undefined when there was no answer; a caller that went away says nothing about the host. */
function statusOf(result: AttemptResult): number | "unconnected" | undefined {
  if (result.kind !== "failed") return result.response.statusCode;
  if (result.cause === "connect") return "unconnected";
  return result.cause === "aborted" || result.cause === "overflow" ? 200 : undefined;
}

/** True when there is to be another attempt, after its back-off. */
async function prepareRetry(result: AttemptResult, forwarding: Forwarding): Promise<boolean> {
  const { decision, body, deadlines, exchange, cluster } = forwarding;
  if (result.kind === "upgraded" || deadlines.signal.aborted || body?.replayable === false) return false;
  if (isStale(result, forwarding)) {
    forwarding.stale++;
    forwarding.attempts--;
    forwarding.tried.clear();
    return true;
  }
  endRetry(forwarding);
  const policy = decision.retry;
  const end = attemptEnd(result);
  if (policy === undefined || end === undefined || !wantsRetry(policy, end)) return false;
  if (forwarding.attempts > policy.retries) {
    exchange.record.flags.add("URX");
    return false;
  }
  if (!cluster.mayRetry) {
    exchange.record.flags.add("UO");
    return false;
  }
  cluster.counts.retries++;
  forwarding.retrying = true;
  const { clock, random } = exchange.deps;
  await clock.sleep(retryDelayMs(policy, forwarding.attempts, random()), deadlines.signal);
  return !deadlines.signal.aborted;
}

/** A retry counts from its decision until it is known how it ended. */
function endRetry(forwarding: Forwarding): void {
  if (!forwarding.retrying) return;
  forwarding.retrying = false;
  forwarding.cluster.counts.retries--;
}

/** A kept-alive connection that the server closed as we used it; safe to repeat says RFC 9110 §9.2.2. */
function isStale(result: AttemptResult, { exchange, stale }: Forwarding): boolean {
  return (
    result.kind === "failed" &&
    result.cause === "reset" &&
    result.reused &&
    SAFE_TO_REPEAT.has(exchange.record.method) &&
    stale < MOST_STALE_CONNECTIONS
  );
}

function attemptEnd(result: Exclude<AttemptResult, { kind: "upgraded" }>): AttemptEnd | undefined {
  if (result.kind === "response") {
    const { statusCode = 0, headers } = result.response;
    const header = (name: string): string | undefined => headers[name]?.toString();
    return { kind: "response", status: statusCode, header };
  }
  switch (result.cause) {
    case "connect":
      return { kind: "connect-failure" };
    case "reset":
      return { kind: "reset", requestSent: result.requestSent };
    case "per-try-timeout":
      return { kind: "per-try-timeout" };
    default:
      return undefined;
  }
}

async function deliver(result: AttemptResult, forwarding: Forwarding): Promise<void> {
  const { exchange, decision, deadlines, body } = forwarding;
  if (result.kind === "failed") return deliverFailure(result, forwarding);
  exchange.record.upstream.id = result.peer?.uri;
  if (result.kind === "upgraded") return await relayUpgrade(exchange, result, deadlines);
  return await relayResponse(exchange, { ...result, edits: decision.responseEdits, deadlines, body });
}

function deliverFailure(
  result: Extract<AttemptResult, { kind: "failed" }>,
  { exchange, deadlines, attempts }: Forwarding,
): void {
  exchange.record.upstream.failure = result.reason;
  const expired = deadlines.expired;
  if (expired !== undefined) {
    const [flag, details] =
      expired === "route" ? (["UT", "response_timeout"] as const) : (["SI", "stream_idle_timeout"] as const);
    const body = expired === "route" ? "upstream request timeout" : "stream timeout";
    replyLocally(exchange, { status: 504, body, flag, details });
    return;
  }
  switch (result.cause) {
    case "aborted":
      return undefined;
    case "per-try-timeout":
      return replyLocally(exchange, {
        status: 504,
        body: "upstream request timeout",
        flag: "UT",
        details: "upstream_per_try_timeout",
      });
    case "overflow":
      return replyLocally(exchange, overflow("connection limit of the cluster"));
    case "protocol":
      return replyLocally(exchange, { ...unavailable("protocol error", attempts), status: 502, flag: "UPE" });
    case "connect":
      return replyLocally(exchange, { ...unavailable("connection failure", attempts), flag: "UF" });
    case "reset":
      return replyLocally(exchange, { ...unavailable("connection termination", attempts), flag: "UC" });
    default:
      return result.cause satisfies never;
  }
}

function unavailable(reason: string, attempts: number): { status: number; body: string; details: string } {
  const which = attempts > 1 ? "retried and the latest reset reason" : "reset reason";
  return {
    status: 503,
    body: `upstream connect error or disconnect/reset before headers. ${which}: ${reason}`,
    details: `upstream_reset_before_response_started{${reason.replaceAll(" ", "_")}}`,
  };
}

function overflow(what: string): { status: number; body: string; flag: "UO"; details: string } {
  return {
    status: 503,
    body: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    flag: "UO",
    details: `overflow{${what.replaceAll(" ", "_")}}`,
  };
}
