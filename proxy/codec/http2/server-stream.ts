import type { HeaderList } from "../../tables/header-list.ts";
import type {
  BodySink,
  RequestHead,
  ResetCause,
  ResponseHead,
  ServerStream,
  ServerStreamObserver,
} from "../stream.ts";
import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { encodeHeaders, encodeStatus, literal } from "./hpack/encoder.ts";
import { Http2Stream } from "./http2-stream.ts";
import { RequestTimes } from "./request-times.ts";

const CANCELLED: ResetCause = { kind: "cancelled" };

/** A request that a client sent, and its answer. */
export class Http2ServerStream extends Http2Stream implements ServerStream {
  readonly #drain: () => void;
  readonly #upgrade: boolean;
  readonly #method: string;
  readonly #times: RequestTimes | undefined;
  #observer: ServerStreamObserver | undefined;
  #answered = false;
  #complete = false;

  constructor(id: number, connection: Connection, head: RequestHead, drain: () => void) {
    super(id, connection);
    this.#drain = drain;
    this.#upgrade = head.upgrade !== undefined;
    this.#method = head.method;
    if (head.body.kind === "sized") this.incoming.expect(head.body.bytes);
    else if (head.body.kind === "none") this.incoming.end(undefined);
    if (head.body.kind === "none" || this.#upgrade || head.method === "CONNECT") return;
    const late = (): void => this.#late();
    const wants = (): boolean => this.incoming.wanted;
    this.#times = new RequestTimes(head.body, connection.options.requestMs, connection.alarms, late, wants);
  }

  receive(sink: BodySink): void {
    this.incoming.receive(sink);
  }

  inform(status: number, headers: HeaderList): void {
    if (this.over || this.#answered) return;
    this.connection.writer.headers(this.id, encodeStatus(status) + encodeHeaders(headers), false);
  }

  respond({ status, headers, body }: ResponseHead): void {
    if (this.over || this.#answered) return;
    this.#answered = true;
    // What changes protocols in HTTP/1.1 is a success here (RFC 8441 §5).
    let block = encodeStatus(this.#upgrade && status === 101 ? 200 : status) + encodeHeaders(headers);
    const length = body.kind === "sized" ? body.bytes : body.kind === "none" ? body.announced : undefined;
    if (length !== undefined && status !== 204) block += literal("content-length", String(length));
    // A body that has no place is left out, as far as it is sent (RFC 9110 §6.4.1).
    const bare = body.kind === "none" || this.#method === "HEAD" || status === 204 || status === 304;
    const ends = bare && !this.#becomesTunnel(status);
    this.connection.writer.headers(this.id, block, ends);
    if (!ends) return;
    this.outgoing.close();
    this.sent();
  }

  closeAfter(why: "draining" | "unread"): void {
    if (why === "draining") this.#drain();
  }

  observe(observer: ServerStreamObserver): void {
    this.#observer = observer;
    if (this.over) observer.closed(this.#complete);
  }

  override body(bytes: Buffer, start: number, end: number, padded: number, endStream: boolean): void {
    this.#times?.received(end - start);
    super.body(bytes, start, end, padded, endStream);
    if (this.incoming.ended) this.#times?.stop();
  }

  override headers(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.trailersCame(bytes, start, end, endStream);
    this.#times?.stop();
  }

  /** A stream that was given up before anything came of it costs the client nothing (CVE-2023-44487). */
  override resetByPeer(cause: ResetCause): void {
    const early = !this.#answered;
    this.lost(cause);
    if (early) this.connection.floods.reset();
  }

  override writable(): void {
    this.#observer?.writable();
  }

  /** A client that still sends is told that nobody wants it (RFC 9113 §8.1). */
  override sent(): void {
    if (this.incoming.ended) this.finish(true);
    else this.giveUp(ErrorCode.noError, true, CANCELLED);
  }

  protected override codeFor({ kind }: ResetCause): ErrorCode {
    if (kind === "refused") return ErrorCode.refusedStream;
    return kind === "cancelled" || kind === "limit" ? ErrorCode.cancel : ErrorCode.internalError;
  }

  protected override lose(cause: ResetCause): void {
    this.incoming.abort(cause);
  }

  protected override gone(complete: boolean): void {
    this.#complete = complete;
    this.#times?.stop();
    this.incoming.abort(CANCELLED);
    this.#observer?.closed(complete);
  }

  /** Bytes go both ways after this answer. */
  #becomesTunnel(status: number): boolean {
    return this.#upgrade ? status === 101 : this.#method === "CONNECT" && status >= 200 && status < 300;
  }

  /** The body does not come: who waits for it is told, and the client where nothing else has been said. */
  #late(): void {
    const cause: ResetCause = { kind: "limit", reason: "request timeout" };
    if (!this.#answered) this.connection.writer.headers(this.id, encodeStatus(408), true);
    this.giveUp(this.#answered ? ErrorCode.cancel : ErrorCode.noError, false, cause);
  }
}
