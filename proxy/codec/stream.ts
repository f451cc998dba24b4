import type { HeaderList } from "../tables/header-list.ts";

/**
 * One request and its answer as every codec carries them (HTTP/1.1, HTTP/2, the tunnel), so that filters, routing and
 * pools know no codec. Everything is a plain call in the same turn of the event loop: no promise and no event object for
 * a chunk. Heads are free of framing: `connection`, `transfer-encoding`, `content-length`, `te`, `host` and pseudo-headers
 * are said by the fields here, and written anew by the codec of the next hop.
 */
export type BodyLength =
  /** `announced`: of an answer without its body (to HEAD, or 304), how long it would be, where that was said. */
  | { readonly kind: "none"; readonly announced?: number }
  /** As announced; the codec has seen to it that exactly so much comes. */
  | { readonly kind: "sized"; readonly bytes: number }
  | { readonly kind: "streamed" };

export interface RequestHead {
  readonly method: string;
  /** Origin form, or `*`; of `CONNECT` empty. Not normalised. */
  readonly target: string;
  /** Host header or `:authority`, exactly one and of valid form. */
  readonly authority: string;
  /** As the sender says (`:scheme`); undefined in HTTP/1.1. */
  readonly scheme: string | undefined;
  /** Protocol that the sender wants to change to: `Upgrade` of HTTP/1.1, `:protocol` of extended CONNECT (RFC 8441). */
  readonly upgrade: string | undefined;
  readonly headers: HeaderList;
  readonly body: BodyLength;
  /** `Expect: 100-continue`: the sender waits with its body for an interim answer, or for a time of its own. */
  readonly expectsContinue: boolean;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: BodyLength;
}

/** Why a stream ended before its end. */
export type ResetCause =
  /** The other end gave this stream up. */
  | { readonly kind: "cancelled" }
  /** It was not looked at by the other end, so it can be sent again (RFC 9113 §8.7; a tunnel's or connection's GOAWAY). */
  | { readonly kind: "refused" }
  /** The connection is gone. */
  | { readonly kind: "disconnected"; readonly reason: string }
  /** The other end broke the protocol; nothing more on this stream is believed. */
  | { readonly kind: "protocol"; readonly reason: string }
  /** A time or a size was over at this end. */
  | { readonly kind: "limit"; readonly reason: string };

/** What takes a body. In this order: `data` any number of times, then `end` or `reset`, and nothing after. */
export interface BodySink {
  /** `bytes` is the caller's again on return: what is kept is copied. False: send no more until resumed. */
  data(bytes: Buffer): boolean;
  end(trailers: HeaderList | undefined): void;
  reset(cause: ResetCause): void;
}

/** The receiving half of a stream, as the one who receives steers it. */
export interface BodySource {
  /** Who gets the body from now on; before that, and while paused, the sender is held back. */
  receive(sink: BodySink): void;
  pause(): void;
  resume(): void;
}

/**
 * A request that came in. The request's body is its `BodySource` side, the answer its `BodySink` side: after `respond`,
 * `data`/`end` send the answer's body. `reset` gives the stream up in both directions.
 */
export interface ServerStream extends BodySource, BodySink {
  /** An interim answer: 100, 103. */
  inform(status: number, headers: HeaderList): void;
  /** The final head; `body.kind` of `"none"` ends the answer with it. After 101 (or 2xx to CONNECT) bytes go both ways. */
  respond(head: ResponseHead): void;
  /**
   * The answer's connection closes after it: its listener drains, or the request's rest cannot be trusted or will not be
   * read, which is nothing to codecs whose frames keep requests apart.
   */
  closeAfter(why: "draining" | "unread"): void;
  /** The one listener for the state of this stream. */
  observe(observer: ServerStreamObserver): void;
}

export interface ServerStreamObserver {
  /** `data` may be called again. */
  writable(): void;
  /** The stream is over; `complete`: the whole answer has been handed to the kernel. Exactly once, after everything else. */
  closed(complete: boolean): void;
}

/** What the sender of a request hears. In order: `inform`*, `head`, `data`*, `end`; or `reset` at any time. */
export interface ResponseReceiver extends BodySink {
  inform(status: number, headers: HeaderList): void;
  head(head: ResponseHead): void;
  /** The request's `data` may be called again. */
  writable(): void;
}

/** A request that was sent: its own body goes through the `BodySink` side, `reset` gives it up. */
export interface ClientStream extends BodySink {
  /** Hold the answer's body back, and go on. */
  pause(): void;
  resume(): void;
}

/** A connection to a server, with room for `capacity` more requests now (HTTP/1.1: one at a time). */
export interface ClientSession {
  readonly capacity: number;
  /** Requests in flight. */
  readonly active: number;
  /** True when it takes no more requests (closed, GOAWAY, spent). */
  readonly closing: boolean;
  /** `head.body.kind` of `"none"` ends the request with its head. Only while `capacity` is above zero. */
  request(head: RequestHead, receiver: ResponseReceiver): ClientStream;
  /** Takes no more, lets what runs come to its end, then closes. */
  drain(): void;
  destroy(reason: string): void;
}

/** What the owner of a client session hears of it. */
export interface ClientSessionObserver {
  /** `capacity` or `closing` are others than they were. */
  changed(): void;
  /** The connection is gone; exactly once, after everything else. */
  closed(): void;
}

/** A connection that serves. */
export interface ServerSession {
  readonly active: number;
  /** Says goodbye (`connection: close`, GOAWAY), lets what runs come to its end, then closes. */
  drain(): void;
  /**
   * The listener is closed. Without a request, a connection that has no way to say goodbye ends now; those that have said
   * so wait for the other end, whose next request may be on its way.
   */
  closeIdle(): void;
  destroy(reason: string): void;
}

/** What a serving codec calls for each request whose head was accepted. */
export type RequestHandler = (head: RequestHead, stream: ServerStream) => void;

/** A request that the codec has answered by itself: its head or its framing could be read in more than one way. */
export interface RefusedRequest {
  /** As far as they could be read; otherwise empty. */
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** For logs: the sender is told the status alone. */
  readonly detail: string;
}

/** What a server session's owner hears. */
export interface ServerSessionObserver {
  readonly request: RequestHandler;
  refused(request: RefusedRequest): void;
  /** The connection is gone; exactly once, after everything else. */
  closed(): void;
}
