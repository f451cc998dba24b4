import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";
import type { RefusedRequest, RequestHandler, ServerSession } from "../stream.ts";
import { FrameKind, MOST, ResetCode, type Settings } from "./frames.ts";
import { decodeRequest } from "./heads.ts";
import { Tunnel } from "./tunnel.ts";
import { type ByteStream, TunnelServerStream } from "./tunnel-server-stream.ts";

/** What a filter chain serves: the kind of stream that it has no handler for is refused. */
export interface TunnelServerObserver {
  readonly request: RequestHandler | undefined;
  readonly bytes: ((stream: ByteStream) => void) | undefined;
  refused(request: RefusedRequest): void;
  /** The connection is gone; exactly once, after everything else. */
  closed(): void;
}

export interface TunnelServerOptions {
  readonly alarms: Alarms;
  /** After so long without a stream the client is asked to leave, and after as long again it is cut off; 0 is never. */
  readonly idleMs: number;
  readonly settings?: Settings;
}

/** The end of a tunnel that streams are opened to. */
export class TunnelServer implements ServerSession {
  readonly #tunnel: Tunnel;
  readonly #observer: TunnelServerObserver;
  readonly #options: TunnelServerOptions;
  readonly #idle = new Alarm(() => this.#idleTooLong());
  #askedToLeave = false;

  constructor(wire: Wire, observer: TunnelServerObserver, options: TunnelServerOptions) {
    this.#observer = observer;
    this.#options = options;
    this.#tunnel = new Tunnel(
      wire,
      {
        head: (kind, id, payload, fin) => this.#open(kind, id, payload, fin),
        goaway: () => this.#answerGoaway(),
        changed: () => this.#watchIdle(),
        closed: () => {
          this.#idle.clear();
          observer.closed();
        },
      },
      options.alarms,
      options.settings,
    );
    this.#watchIdle();
    this.#tunnel.start();
  }

  get active(): number {
    return this.#tunnel.streams.size;
  }

  /** Asks the other end to open no more streams; what it opens before it has heard that is served. */
  drain(): void {
    this.#tunnel.goaway(MOST);
  }

  closeIdle(): void {}

  destroy(reason: string): void {
    this.#tunnel.destroy(reason);
  }

  #watchIdle(): void {
    if (this.active === 0) this.#idle.set(this.#options.alarms, this.#options.idleMs);
  }

  #idleTooLong(): void {
    if (this.active > 0) return;
    if (this.#askedToLeave) {
      this.destroy("nothing was asked");
      return;
    }
    this.#askedToLeave = true;
    this.drain();
    this.#watchIdle();
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
    tunnel.add(id, stream);
    return handler(decoded.head, stream);
  }

  #openBytes(id: number): void {
    const handler = this.#observer.bytes;
    if (handler === undefined) return this.#tunnel.writer.reset(id, ResetCode.protocol);
    const stream = new TunnelServerStream(this.#tunnel, id, "bytes");
    this.#tunnel.add(id, stream);
    return handler(stream);
  }
}
