import type { Wire } from "../../transport/wire.ts";
import type {
  BodySink,
  BodySource,
  RefusedRequest,
  RequestHandler,
  ServerSession,
  ServerStream,
} from "../stream.ts";
import { FrameKind, MOST, ResetCode, type Settings } from "./frames.ts";
import { decodeRequest } from "./heads.ts";
import { Tunnel } from "./tunnel.ts";
import { TunnelServerStream } from "./tunnel-server-stream.ts";

/** A TCP connection that came through the tunnel: bytes both ways, each with its own end. */
export type ByteStream = BodySource & BodySink & Pick<ServerStream, "observe">;

/** What a filter chain serves: the kind of stream that it has no handler for is refused. */
export interface TunnelServerObserver {
  readonly request: RequestHandler | undefined;
  readonly bytes: ((stream: ByteStream) => void) | undefined;
  refused(request: RefusedRequest): void;
  /** The connection is gone; exactly once, after everything else. */
  closed(): void;
}

/** The end of a tunnel that streams are opened to. */
export class TunnelServer implements ServerSession {
  readonly #tunnel: Tunnel;
  readonly #observer: TunnelServerObserver;

  constructor(wire: Wire, observer: TunnelServerObserver, own?: Settings) {
    this.#observer = observer;
    this.#tunnel = new Tunnel(
      wire,
      {
        head: (kind, id, payload, fin) => this.#open(kind, id, payload, fin),
        goaway: () => this.#answerGoaway(),
        closed: () => observer.closed(),
      },
      own,
    );
  }

  get active(): number {
    return this.#tunnel.streams.size;
  }

  /** Asks the other end to open no more streams; what it opens before it has heard that is served. */
  drain(): void {
    this.#tunnel.goaway(MOST);
  }

  /** See `Tunnel.tick`. */
  tick(nowMs: number): void {
    this.#tunnel.tick(nowMs);
  }

  destroy(reason: string): void {
    this.#tunnel.destroy(reason);
  }

  #answerGoaway(): void {
    this.#tunnel.goaway(this.#tunnel.last);
    this.#tunnel.finishWhenIdle();
  }

  #open(kind: number, id: number, payload: Buffer, fin: boolean): void {
    const tunnel = this.#tunnel;
    if (kind !== FrameKind.request && kind !== FrameKind.connect)
      return tunnel.broken("the head of an answer");
    if (id <= tunnel.last || id > MOST) return tunnel.broken(`stream ${id} is opened after ${tunnel.last}`);
    tunnel.last = id;
    if (tunnel.streams.size >= tunnel.own.maxStreams) return tunnel.writer.reset(id, ResetCode.refused);
    return kind === FrameKind.request ? this.#openRequest(id, payload, fin) : this.#openBytes(id);
  }

  #openRequest(id: number, payload: Buffer, fin: boolean): void {
    const tunnel = this.#tunnel;
    const handler = this.#observer.request;
    const decoded = decodeRequest(payload, fin);
    if (handler === undefined || !decoded.ok) {
      tunnel.writer.reset(id, ResetCode.protocol);
      const detail = decoded.ok ? "the chain serves TCP" : decoded.reason;
      return this.#observer.refused({ method: "", target: "", status: 400, detail });
    }
    const { method } = decoded.head;
    const stream = new TunnelServerStream(tunnel, id, method === "CONNECT" ? "connect" : "request");
    stream.incoming.expect(decoded.head.body);
    if (fin) stream.incoming.finish(undefined);
    tunnel.streams.set(id, stream);
    return handler(decoded.head, stream);
  }

  #openBytes(id: number): void {
    const handler = this.#observer.bytes;
    if (handler === undefined) return this.#tunnel.writer.reset(id, ResetCode.protocol);
    const stream = new TunnelServerStream(this.#tunnel, id, "bytes");
    this.#tunnel.streams.set(id, stream);
    return handler(stream);
  }
}
