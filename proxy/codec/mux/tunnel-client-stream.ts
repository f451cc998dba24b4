import type { HeaderList } from "../../tables/header-list.ts";
import type { ClientStream, ResetCause, ResponseHead, ResponseReceiver } from "../stream.ts";
import { ReceiveHalf } from "./receive-half.ts";
import { SendHalf } from "./send-half.ts";
import { codeOf, type Tunnel, type TunnelStream } from "./tunnel.ts";

/** A request at the end that sent it. */
export class TunnelClientStream implements ClientStream, TunnelStream {
  readonly outgoing: SendHalf;
  readonly incoming: ReceiveHalf;
  readonly #tunnel: Tunnel;
  readonly #id: number;
  readonly #receiver: ResponseReceiver;
  #answered = false;
  #over = false;

  constructor(tunnel: Tunnel, id: number, receiver: ResponseReceiver) {
    this.#tunnel = tunnel;
    this.#id = id;
    this.#receiver = receiver;
    this.outgoing = new SendHalf(tunnel.writer, id, tunnel.peer.window);
    this.incoming = new ReceiveHalf(tunnel.writer, id, tunnel.own.window, tunnel.windowBudget);
  }

  get takesBody(): boolean {
    return this.#answered;
  }

  /** False: it does not come in its turn. */
  answer(interim: boolean, head: ResponseHead, fin: boolean): boolean {
    if (this.#answered || interim !== isInterim(head.status)) return false;
    if (interim) {
      this.#receiver.inform(head.status, head.headers);
      return !fin;
    }
    this.#answered = true;
    this.#receiver.head(head);
    if (this.#over) return true;
    this.incoming.expect(head.body);
    this.incoming.receive(this.#receiver);
    if (fin) this.incoming.finish(undefined);
    this.settle();
    return true;
  }

  pause(): void {
    this.incoming.pause();
  }

  resume(): void {
    this.incoming.resume();
    this.settle();
  }

  data(bytes: Buffer): boolean {
    return this.outgoing.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    this.outgoing.end(trailers);
    this.settle();
  }

  reset(cause: ResetCause): void {
    if (this.#over) return;
    this.#tunnel.writer.reset(this.#id, codeOf(cause));
    this.#finish(undefined);
  }

  writable(): void {
    this.#receiver.writable();
  }

  settle(): void {
    if (!this.#over && this.outgoing.done && this.incoming.done) this.#finish(undefined);
  }

  lost(cause: ResetCause): void {
    if (!this.#over) this.#finish(cause);
  }

  #finish(cause: ResetCause | undefined): void {
    this.#over = true;
    this.outgoing.finish();
    this.#tunnel.forget(this.#id);
    if (cause !== undefined && !this.takesBody) this.#receiver.reset(cause);
    this.incoming.abandon(cause);
  }
}

/** 101 is the last head: what follows is another protocol. */
function isInterim(status: number): boolean {
  return status < 200 && status !== 101;
}
