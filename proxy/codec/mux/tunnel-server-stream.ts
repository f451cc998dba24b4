import type { HeaderList } from "../../tables/header-list.ts";
import type {
  BodySink,
  BodySource,
  ResetCause,
  ResponseHead,
  ServerStream,
  ServerStreamObserver,
} from "../stream.ts";
import { FrameKind, ResetCode } from "./frames.ts";
import { encodeResponse } from "./heads.ts";
import { ReceiveHalf } from "./receive-half.ts";
import { SendHalf } from "./send-half.ts";
import { codeOf, type Tunnel, type TunnelStream } from "./tunnel.ts";

/** A TCP connection through the tunnel: bytes both ways, each with its own end. */
export type ByteStream = BodySource & BodySink & Pick<ServerStream, "observe">;

/** A request at the end that serves it; or a TCP connection, which is the same at both ends. */
export class TunnelServerStream implements ServerStream, TunnelStream {
  readonly outgoing: SendHalf;
  readonly incoming: ReceiveHalf;
  readonly takesBody = true;
  readonly #tunnel: Tunnel;
  readonly #id: number;
  #kind: "request" | "connect" | "bytes";
  #observer: ServerStreamObserver | undefined;
  #over: "no" | "complete" | "broken" = "no";
  #told = false;

  constructor(tunnel: Tunnel, id: number, kind: "request" | "connect" | "bytes") {
    this.#tunnel = tunnel;
    this.#id = id;
    this.#kind = kind;
    this.outgoing = new SendHalf(tunnel.writer, id, tunnel.peer.window);
    this.incoming = new ReceiveHalf(tunnel.writer, id, tunnel.own.window, tunnel.windowBudget);
  }

  observe(observer: ServerStreamObserver): void {
    this.#observer = observer;
    this.#told = false;
    if (this.#over !== "no") this.#tell();
  }

  receive(sink: BodySink): void {
    this.incoming.receive(sink);
    this.settle();
  }

  pause(): void {
    this.incoming.pause();
  }

  resume(): void {
    this.incoming.resume();
    this.settle();
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#over !== "no") return;
    const text = encodeResponse({ status, headers, body: { kind: "none" } });
    this.#tunnel.writer.head(FrameKind.interim, this.#id, text, false);
  }

  respond(head: ResponseHead): void {
    if (this.#over !== "no" || this.outgoing.done) return;
    const { status, body } = head;
    if (status === 101 || (this.#kind === "connect" && status >= 200 && status < 300)) this.#kind = "bytes";
    const fin = body.kind === "none" && this.#kind !== "bytes";
    this.#tunnel.writer.head(FrameKind.response, this.#id, encodeResponse(head), fin);
    if (fin) this.outgoing.finish();
    this.settle();
  }

  /** Frames keep streams apart, so nothing has to close; a tunnel that drains says so itself. */
  closeAfter(): void {}

  data(bytes: Buffer): boolean {
    return this.outgoing.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    this.outgoing.end(trailers);
    this.settle();
  }

  reset(cause: ResetCause): void {
    if (this.#over !== "no") return;
    this.#tunnel.writer.reset(this.#id, codeOf(cause));
    this.#finish("broken", undefined);
  }

  writable(): void {
    this.#observer?.writable();
  }

  settle(): void {
    if (this.#over !== "no" || !this.outgoing.done) return;
    if (this.#kind === "bytes") {
      if (this.incoming.done) this.#finish("complete", undefined);
      return;
    }
    // A whole answer is the end, whatever of the request is still to come.
    if (!this.incoming.ended) this.#tunnel.writer.reset(this.#id, ResetCode.enough);
    this.#finish("complete", undefined);
  }

  lost(cause: ResetCause): void {
    if (this.#over === "no") this.#finish("broken", cause);
  }

  #finish(how: "complete" | "broken", cause: ResetCause | undefined): void {
    this.#over = how;
    this.outgoing.finish();
    this.#tunnel.forget(this.#id);
    this.incoming.abandon(cause);
    this.#tell();
  }

  #tell(): void {
    if (this.#told || this.#observer === undefined) return;
    this.#told = true;
    this.#observer.closed(this.#over === "complete");
  }
}
