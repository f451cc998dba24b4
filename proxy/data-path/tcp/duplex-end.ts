import type { Duplex } from "node:stream";
import type { BodySink, ServerStreamObserver } from "../../codec/stream.ts";
import { breakOff } from "../break-off.ts";
import type { ByteEnd } from "./byte-end.ts";

/** What a proxy has made of a connection that it was asked to pass on (`tunnel.ts`): a stream of Node's. */
export class DuplexEnd implements ByteEnd {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.pause();
    stream.on("error", () => stream.destroy());
  }

  observe(observer: ServerStreamObserver): void {
    const stream = this.#stream;
    const closed = (): void => observer.closed(stream.readableEnded && stream.writableFinished);
    stream.on("drain", () => observer.writable());
    if (stream.closed) closed();
    else stream.on("close", closed);
  }

  receive(sink: BodySink): void {
    const stream = this.#stream;
    stream.on("data", (chunk: Buffer) => {
      if (!sink.data(chunk)) stream.pause();
    });
    stream.on("end", () => sink.end(undefined));
    stream.on("close", () => {
      if (!stream.readableEnded) sink.reset({ kind: "disconnected", reason: "the connection was closed" });
    });
    stream.resume();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  data(bytes: Buffer): boolean {
    // Node keeps what it is given until it is written.
    return this.#stream.write(Buffer.from(bytes));
  }

  end(): void {
    this.#stream.end();
  }

  reset(): void {
    breakOff(this.#stream);
  }
}
