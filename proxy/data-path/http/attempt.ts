import type {
  BodySink,
  ClientStream,
  RequestHead,
  ResetCause,
  ResponseHead,
  ResponseReceiver,
} from "../../codec/stream.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { PEER_METADATA } from "../../telemetry/parties/peer-metadata.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import type { UpstreamConnectError } from "../upstream/dial.ts";
import type { HostPool, OpenedSession, PoolUser } from "../upstream/host-pool.ts";
import type { RequestBody } from "./request-body.ts";

/** `reset`: the connection is gone; `remote-reset`, `refused`: the upstream gave up this request alone. */
type FailureCause =
  | "connect"
  | "overflow"
  | "reset"
  | "remote-reset"
  | "refused"
  | "protocol"
  | "per-try-timeout";

export interface AttemptFailure {
  readonly cause: FailureCause;
  readonly reason: string;
  /** False when not a byte of the request was looked at. */
  readonly requestSent: boolean;
  /** The connection had served before: the server may just have closed it for being idle. */
  readonly reused: boolean;
}

/** What becomes of an attempt: one of the first two, once, unless it is cancelled; after an answer its body. */
export interface AttemptEvents extends BodySink {
  answered(head: ResponseHead): void;
  failed(failure: AttemptFailure): void;
  /** The upstream takes more of the request. */
  moreWanted(): void;
}

export interface AttemptOptions {
  readonly pool: HostPool;
  readonly head: RequestHead;
  /** Undefined: there is none, or the events' owner sends it (after an upgrade). */
  readonly body: RequestBody | undefined;
  /** 0 is without limit. */
  readonly perTryTimeoutMs: number;
  readonly alarms: Alarms;
  /** What a proxy of the mesh is told of this workload with the first request of a connection. */
  readonly introduction?: string;
}

/**
 * Sends the request to one host and waits for the head of the answer. The body starts when there is a connection, so a
 * failure to connect has sent nothing.
 */
export class Attempt implements PoolUser, ResponseReceiver {
  readonly #options: AttemptOptions;
  readonly #events: AttemptEvents;
  readonly #timeout = new Alarm(() => this.#giveUp());
  #state: "new" | "waiting" | "sent" | "answered" | "over" = "new";
  #stream: ClientStream | undefined;
  #reused = false;
  /** The server that got the request. */
  peer: PeerCertificate | undefined;
  /** Of the connection, this end; empty: there was none. */
  localAddress = "";

  constructor(options: AttemptOptions, events: AttemptEvents) {
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    const { pool, perTryTimeoutMs, alarms } = this.#options;
    this.#state = "waiting";
    this.#timeout.set(alarms, perTryTimeoutMs);
    pool.request(this);
  }

  /** The connection that was asked on, once there is one. */
  get stream(): ClientStream | undefined {
    return this.#stream;
  }

  /** Nothing is heard of it any more. */
  cancel(): void {
    if (this.#state === "over") return;
    this.#end();
    this.#stream?.reset({ kind: "cancelled" });
  }

  ready({ session, peer, localAddress }: OpenedSession, reused: boolean): void {
    if (this.#state !== "waiting") return;
    const { head, body, introduction } = this.#options;
    this.#reused = reused;
    if (!reused && introduction !== undefined && peer?.uri?.startsWith("spiffe://") === true)
      head.headers.set(PEER_METADATA, introduction);
    // An attempt before, at another host, may have said it.
    else head.headers.delete(PEER_METADATA);
    this.peer = peer;
    this.localAddress = localAddress;
    this.#state = "sent";
    try {
      this.#stream = session.request(head, this);
    } catch (error) {
      this.#fail("protocol", String(error), false);
      return;
    }
    body?.sendTo(this.#stream);
  }

  unable({ flag, message }: UpstreamConnectError): void {
    this.#fail(flag === "UO" ? "overflow" : "connect", message, false);
  }

  inform(): void {}

  head(head: ResponseHead): void {
    if (this.#state !== "sent") return;
    this.#state = "answered";
    this.#timeout.clear();
    this.#events.answered(head);
  }

  data(bytes: Buffer): boolean {
    return this.#state === "answered" && this.#events.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#state === "answered") this.#events.end(trailers);
  }

  reset(cause: ResetCause): void {
    if (this.#state === "answered") this.#events.reset(cause);
    else if (this.#state === "sent") {
      this.#fail(causeOf(cause), "reason" in cause ? cause.reason : cause.kind, cause.kind !== "refused");
    }
  }

  writable(): void {
    this.#options.body?.resume();
    this.#events.moreWanted();
  }

  #giveUp(): void {
    const sent = this.#state === "sent";
    this.#fail("per-try-timeout", "per try timeout", sent);
    this.#stream?.reset({ kind: "limit", reason: "per try timeout" });
  }

  #fail(cause: FailureCause, reason: string, requestSent: boolean): void {
    if (this.#state === "over") return;
    this.#end();
    this.#events.failed({ cause, reason, requestSent, reused: this.#reused });
  }

  #end(): void {
    if (this.#state === "waiting") this.#options.pool.leave(this);
    this.#state = "over";
    this.#timeout.clear();
    if (this.#stream) this.#options.body?.detach(this.#stream);
  }
}

function causeOf({ kind }: ResetCause): FailureCause {
  switch (kind) {
    case "cancelled":
      return "remote-reset";
    case "refused":
    case "protocol":
      return kind;
    case "disconnected":
    case "limit":
      return "reset";
    default:
      return kind satisfies never;
  }
}
