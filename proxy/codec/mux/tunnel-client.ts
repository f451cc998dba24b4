import type { Alarms } from "../../transport/alarms.ts";
import type { Wire } from "../../transport/wire.ts";
import type {
  ClientSession,
  ClientSessionObserver,
  ClientStream,
  RequestHead,
  ResponseReceiver,
} from "../stream.ts";
import { FrameKind, MOST, type Settings } from "./frames.ts";
import { decodeResponse, encodeRequest } from "./heads.ts";
import { Tunnel } from "./tunnel.ts";
import { TunnelClientStream } from "./tunnel-client-stream.ts";
import { type ByteStream, TunnelServerStream } from "./tunnel-server-stream.ts";

/** The end of a tunnel that opens streams. */
export class TunnelClient implements ClientSession {
  readonly #tunnel: Tunnel;
  readonly #observer: ClientSessionObserver;
  /** It opens nothing any more. */
  #closing = false;

  constructor(wire: Wire, observer: ClientSessionObserver, alarms: Alarms, own?: Settings) {
    this.#observer = observer;
    this.#tunnel = new Tunnel(
      wire,
      {
        head: (kind, id, payload, fin) => this.#head(kind, id, payload, fin),
        changed: () => observer.changed(),
        goaway: (last) => this.#leave(last),
        closed: () => {
          this.#closing = true;
          observer.closed();
        },
      },
      alarms,
      own,
    );
    this.#tunnel.start();
  }

  get active(): number {
    return this.#tunnel.streams.size;
  }

  get capacity(): number {
    return this.closing ? 0 : Math.max(0, this.#tunnel.peer.maxStreams - this.active);
  }

  get closing(): boolean {
    return this.#closing || this.#tunnel.last >= MOST;
  }

  request(head: RequestHead, receiver: ResponseReceiver): ClientStream {
    const fin = head.body.kind === "none" && head.upgrade === undefined && head.method !== "CONNECT";
    const id = this.#next();
    const stream = new TunnelClientStream(this.#tunnel, id, receiver);
    this.#tunnel.add(id, stream);
    this.#tunnel.writer.head(FrameKind.request, id, encodeRequest(head), fin);
    if (fin) stream.outgoing.finish();
    return stream;
  }

  /** Opens a TCP connection: bytes both ways, each direction with its own end. */
  connect(): ByteStream {
    const id = this.#next();
    const stream = new TunnelServerStream(this.#tunnel, id, "bytes");
    this.#tunnel.add(id, stream);
    this.#tunnel.writer.connect(id);
    return stream;
  }

  drain(): void {
    this.#leave(MOST);
  }

  destroy(reason: string): void {
    this.#tunnel.destroy(reason);
  }

  #next(): number {
    if (this.capacity <= 0) throw new Error("the tunnel has no room for another stream");
    this.#tunnel.last++;
    return this.#tunnel.last;
  }

  #head(kind: number, id: number, payload: Buffer, fin: boolean): void {
    const tunnel = this.#tunnel;
    if (kind !== FrameKind.response && kind !== FrameKind.interim)
      return tunnel.broken("the head of a request");
    if (id === 0 || id > tunnel.last) return tunnel.broken(`an answer to stream ${id}, which was not opened`);
    const stream = tunnel.streams.get(id);
    if (stream === undefined) return undefined;
    const decoded = decodeResponse(payload, fin);
    if (!decoded.ok) return tunnel.broken(`an answer: ${decoded.reason}`);
    const taken =
      stream instanceof TunnelClientStream && stream.answer(kind === FrameKind.interim, decoded.head, fin);
    return taken ? undefined : tunnel.broken("an answer out of turn");
  }

  /** Streams after `last` were not looked at; the others come to their end. */
  #leave(last: number): void {
    const tunnel = this.#tunnel;
    if (tunnel.isClosed) return;
    this.#closing = true;
    for (const [id, stream] of tunnel.streams) {
      if (id <= last) continue;
      tunnel.forget(id);
      stream.lost({ kind: "refused" });
    }
    tunnel.goaway(tunnel.last);
    this.#observer.changed();
    tunnel.finishWhenIdle();
  }
}
