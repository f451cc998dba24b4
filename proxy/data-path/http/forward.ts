import type { BodyLength, RequestHead, ResetCause, ResponseHead } from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { ForwardDecision } from "../../tables/route-table.ts";
import type { ResponseFlag } from "../../telemetry/response-flags.ts";
import type { Destination } from "../../transport/original-destination.ts";
import type { UpstreamCluster } from "../upstream/upstream-cluster.ts";
import type { UpstreamHost } from "../upstream/upstream-host.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import { Attempt, type AttemptEvents, type AttemptFailure } from "./attempt.ts";
import { isHttp2 } from "./called-as.ts";
import { Deadlines } from "./deadlines.ts";
import type { Bearer, Exchange } from "./exchange.ts";
import { failureReply, noHealthyHost, overflow, timedOut } from "./failure-reply.ts";
import { parseGrpcStatus } from "./grpc-reply.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";
import { replyLocally } from "./local-reply.ts";
import { lookUpHost } from "./look-up-host.ts";
import { sendMirrors } from "./mirror.ts";
import { outcomeOf, outcomeOfAnswer } from "./outcomes.ts";
import { answerHeaders } from "./relay-head.ts";
import { RequestBody } from "./request-body.ts";
import { Retries } from "./retries.ts";
import { UpgradedExchange } from "./upgrade.ts";
import { upstreamHead } from "./upstream-head.ts";

/** Longest that a request waits for the endpoints of a cluster that has just appeared. */
const WARMING_MS = 5000;
const SAFE_TO_REPEAT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

const RESET_FLAGS = {
  cancelled: "UR",
  refused: "UR",
  disconnected: "UC",
  protocol: "UPE",
  limit: "UC",
} as const satisfies Record<ResetCause["kind"], ResponseFlag>;
const EXPIRED_FLAGS = { route: "UT", idle: "SI", duration: undefined } as const;

/** Sends a request to the cluster of its route and the answer back, with the route's retries and timeouts. */
export function forwardRequest(
  exchange: Exchange,
  accepted: AcceptedRequest,
  decision: ForwardDecision,
): void {
  const { deps } = exchange;
  const cluster = deps.tables.cluster(decision.cluster);
  if (cluster === undefined) {
    const status = decision.action.clusterNotFoundStatus;
    replyLocally(exchange, { status, flag: "NC", details: "cluster_not_found" });
    return;
  }
  exchange.record.upstream.service = cluster.model.service;
  if (cluster.names) {
    const defaultPort = cluster.model.transport.kind === "tls" ? 443 : 80;
    lookUpHost(cluster.names, decision.authority, defaultPort)
      .then((found) =>
        "status" in found
          ? replyLocally(exchange, found)
          : start(exchange, accepted, decision, cluster, found),
      )
      .catch(() => replyLocally(exchange, { status: 500, details: "internal", close: true }));
    return;
  }
  if (cluster.warm) {
    start(exchange, accepted, decision, cluster);
    return;
  }
  Promise.race([cluster.whenWarm(), deps.clock.sleep(WARMING_MS, exchange.gone)])
    .then(() => start(exchange, accepted, decision, cluster))
    .catch(() => replyLocally(exchange, { status: 500, details: "internal", close: true }));
}

function start(
  exchange: Exchange,
  { facts, headers }: AcceptedRequest,
  decision: ForwardDecision,
  cluster: UpstreamCluster,
  destination = exchange.connection.destination,
): void {
  if (exchange.over) return;
  exchange.record.attempts = 1;
  if (cluster.counts.active >= cluster.model.limits.maxRequests) {
    replyLocally(exchange, overflow());
    return;
  }
  const hashed = decision.hash?.(facts, exchange.connection.facts);
  // The answer brings the cookie that the client lacked for it.
  if (hashed)
    exchange.addToAnswer(hashed.cookies.map((value) => ({ name: "set-cookie", value, action: "append" })));
  const head = upstreamHead(exchange, headers, decision, facts.path + facts.query);
  const { record } = exchange;
  record.target = head.target;
  record.calledAuthority = head.authority;
  record.requestHeaders = head.headers;
  new Forwarding(exchange, decision, cluster, head, { hash: hashed?.hash, destination }).start();
}

/** What the host of a request is chosen by, beside chance. */
interface Call {
  readonly hash: bigint | undefined;
  readonly destination: Destination | undefined;
}

/** One request on its way: attempts, one after the other, until the answer of one is passed on. */
class Forwarding implements AttemptEvents, Bearer {
  readonly #exchange: Exchange;
  readonly #decision: ForwardDecision;
  readonly #cluster: UpstreamCluster;
  readonly #head: RequestHead;
  readonly #call: Call;
  readonly #body: RequestBody | undefined;
  readonly #deadlines: Deadlines;
  readonly #retries: Retries;
  #attempt: Attempt | undefined;
  #host: UpstreamHost | undefined;
  #startedMs = 0;
  /** After 101: what comes is not HTTP any more. */
  #upgraded: UpgradedExchange | undefined;
  #over = false;

  constructor(
    exchange: Exchange,
    decision: ForwardDecision,
    cluster: UpstreamCluster,
    head: RequestHead,
    call: Call,
  ) {
    this.#exchange = exchange;
    this.#decision = decision;
    this.#cluster = cluster;
    this.#head = head;
    this.#call = call;
    this.#retries = new Retries(decision.retry, cluster, exchange.record);
    const idleMs = decision.action.idleTimeoutMs ?? exchange.manager.model.streamIdleTimeoutMs;
    this.#deadlines = new Deadlines(
      exchange.deps.alarms,
      { idleMs, routeMs: decision.action.timeoutMs, durationMs: this.#callersLimit() },
      () => this.#expire(),
    );
    this.#body = this.#requestBody(head.body);
  }

  start(): void {
    this.#exchange.bearer = this;
    this.#cluster.begin();
    if (this.#decision.action.mirrors.length > 0)
      sendMirrors(this.#exchange, { decision: this.#decision, head: this.#head, body: this.#body });
    if (this.#body === undefined) this.#deadlines.requestOver();
    this.#try();
  }

  // Bearer

  writable(): void {
    this.#attempt?.stream?.resume();
  }

  gone(): void {
    if (this.#over) return;
    this.#upgraded?.stop();
    this.#attempt?.cancel();
    this.#finish();
  }

  // AttemptEvents

  answered(head: ResponseHead): void {
    const host = this.#host;
    if (host === undefined) return;
    const { deps, record } = this.#exchange;
    this.#cluster.report(host, outcomeOfAnswer(this.#head, head), deps.random);
    const nowMs = deps.clock.monotonic();
    record.upstreamMs = nowMs - this.#startedMs;
    record.responseMs = nowMs - record.startedMonotonic;
    if (head.status !== 101 && this.#mayRepeat() && this.#retries.wantsAfter(head)) {
      this.#attempt?.cancel();
      this.#repeat();
      return;
    }
    try {
      this.#deliver(head);
    } catch {
      // The last resort: a defect here costs this request, not the process.
      this.#attempt?.cancel();
      this.#end(() => replyLocally(this.#exchange, { status: 500, details: "internal", close: true }));
    }
  }

  failed(failure: AttemptFailure): void {
    const host = this.#host;
    if (host === undefined) return;
    host.failures++;
    this.#cluster.report(host, outcomeOf(failure), this.#exchange.deps.random);
    if (this.#mayRepeat()) {
      if (this.#retries.isStale(failure, SAFE_TO_REPEAT.has(this.#head.method))) {
        this.#leaveHost();
        this.#try();
        return;
      }
      if (this.#retries.wantsAfterFailure(failure)) {
        this.#repeat();
        return;
      }
    }
    if (failure.cause === "connect") this.#exchange.record.upstream.failure = failure.reason;
    this.#end(() => replyLocally(this.#exchange, failureReply(failure, this.#retries.attempts)));
  }

  moreWanted(): void {
    this.#upgraded?.resume();
  }

  data(bytes: Buffer): boolean {
    if (this.#upgraded) return this.#upgraded.data(bytes);
    const { record } = this.#exchange;
    record.bytesSent += bytes.length;
    record.messages?.response.add(bytes);
    this.#deadlines.touch();
    return this.#exchange.stream.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#upgraded) this.#upgraded.end();
    else this.#endWith(trailers);
  }

  #endWith(trailers: HeaderList | undefined): void {
    const { record, stream } = this.#exchange;
    record.trailers = trailers;
    record.grpcStatus = parseGrpcStatus(trailers?.get("grpc-status")) ?? record.grpcStatus;
    this.#end(() => stream.end(trailers));
  }

  /** The caller's connection breaks too: it must not take half an answer for a whole one. */
  reset(cause: ResetCause): void {
    if (this.#upgraded) {
      this.#upgraded.reset(cause);
      return;
    }
    const { record, stream } = this.#exchange;
    const { expired } = this.#deadlines;
    const flag = expired === undefined ? RESET_FLAGS[cause.kind] : EXPIRED_FLAGS[expired];
    if (flag) record.flags.add(flag);
    record.details = "upstream_reset_after_response_started";
    this.#end(() => stream.reset(cause));
  }

  // Attempts

  #try(): void {
    const { deps, record, connection } = this.#exchange;
    const cluster = this.#cluster;
    const { hash, destination } = this.#call;
    const choice = this.#retries.choice(hash);
    const host = cluster.pick(deps.random, destination ? { ...choice, destination } : choice);
    record.attempts = this.#retries.attempts + 1;
    if (host === undefined) {
      this.#end(() => replyLocally(this.#exchange, noHealthyHost()));
      return;
    }
    this.#retries.begin(host);
    if (this.#decision.includeAttemptCount)
      this.#head.headers.set("x-envoy-attempt-count", String(this.#retries.attempts));
    this.#host = host;
    record.upstream.host = host.key;
    record.upstream.workload = host.endpoint.workload;
    host.active++;
    host.total++;
    cluster.counts.total++;
    this.#startedMs = deps.clock.monotonic();
    const { authority } = this.#head;
    const call = { isHttp2: isHttp2(this.#head), saysHttp: this.#decision.saysHttp };
    const pool = host.pool(cluster.variantOf(host, authority, connection.facts, call));
    const perTryTimeoutMs = this.#decision.retry?.perTryTimeoutMs ?? 0;
    const options = {
      pool,
      head: this.#head,
      body: this.#body,
      perTryTimeoutMs,
      alarms: deps.alarms,
      introduction: deps.introduction,
    };
    this.#attempt = new Attempt(options, this);
    this.#attempt.start();
  }

  #mayRepeat(): boolean {
    return this.#deadlines.expired === undefined && this.#body?.replayable !== false;
  }

  /** Another attempt, after its back-off. */
  #repeat(): void {
    const { deps } = this.#exchange;
    this.#leaveHost();
    deps.clock
      .sleep(this.#retries.delayMs(deps.random()), this.#exchange.gone)
      .then(() => (this.#over ? undefined : this.#try()))
      .catch(() => this.#end(() => replyLocally(this.#exchange, { status: 500, details: "internal" })));
  }

  #leaveHost(): void {
    if (this.#attempt !== undefined) this.#noteConnection();
    if (this.#host) this.#host.active--;
    this.#host = undefined;
    this.#attempt = undefined;
  }

  /** Milliseconds that are left of the caller's deadline, where the route has it count; 0 is without limit. */
  #callersLimit(): number {
    const { record, deps } = this.#exchange;
    const most = this.#decision.action.grpcTimeoutMaxMs;
    const asked = most === undefined ? undefined : parseGrpcTimeout(this.#head.headers.get("grpc-timeout"));
    if (most === undefined || asked === undefined) return 0;
    const limit = most > 0 ? Math.min(asked, most) : asked;
    // Without a limit is what a deadline of 0 says too (Envoy).
    return limit === 0 ? 0 : Math.max(1, limit - (deps.clock.monotonic() - record.startedMonotonic));
  }

  #requestBody(length: BodyLength): RequestBody | undefined {
    if (length.kind === "none") return undefined;
    const { record, body, head } = this.#exchange;
    const keep = this.#decision.retry !== undefined || SAFE_TO_REPEAT.has(head.method);
    return new RequestBody(body, keep, {
      passed: (bytes) => {
        record.bytesReceived += bytes.length;
        record.messages?.request.add(bytes);
        this.#deadlines.touch();
      },
      ended: () => {
        this.#exchange.takenWhole();
        if (!this.#over) this.#deadlines.requestOver();
      },
      broken: (cause) => {
        // The codec answers what is no body, or none in time; nobody is there to answer otherwise.
        if (cause.kind === "protocol") record.flags.add("DPE");
        this.gone();
      },
    });
  }

  // The answer

  #deliver(head: ResponseHead): void {
    const exchange = this.#exchange;
    const attempt = this.#attempt;
    this.#noteConnection();
    exchange.record.details = "via_upstream";
    exchange.record.status = head.status;
    if (head.status === 101 && attempt?.stream !== undefined) {
      this.#deadlines.stop();
      this.#upgraded = new UpgradedExchange(exchange, head, attempt.stream);
      return;
    }
    const headers = answerHeaders(exchange, head.headers, this.#decision.responseEdits);
    if (exchange.closing) exchange.stream.closeAfter("draining");
    exchange.answered = true;
    exchange.record.responseHeaders = headers;
    exchange.stream.respond({ status: head.status, headers, body: head.body });
  }

  #noteConnection(): void {
    const { upstream } = this.#exchange.record;
    upstream.id = this.#attempt?.peer?.uri;
    upstream.localAddress = this.#attempt?.localAddress ?? "";
  }

  #expire(): void {
    const { expired } = this.#deadlines;
    const attempt = this.#attempt;
    if (expired === undefined) return;
    if (this.#exchange.answered) {
      attempt?.cancel();
      this.reset({ kind: "limit", reason: expired });
      return;
    }
    attempt?.cancel();
    this.#end(() => replyLocally(this.#exchange, timedOut(expired, this.#exchange.complete)));
  }

  /** Says the last word, after which nothing is held any more. */
  #end(say: () => void): void {
    if (this.#over) return;
    this.#finish();
    say();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#exchange.bearer = undefined;
    this.#retries.end();
    this.#leaveHost();
    this.#cluster.counts.active--;
    this.#deadlines.stop();
  }
}
