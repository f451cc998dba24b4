import { CLIENT_PREFACE } from "../../codec/http2/frame.ts";
import type { ServerSession } from "../../codec/stream.ts";
import { Alarm, type Alarms } from "../../transport/alarms.ts";
import type { Input, Output, Wire } from "../../transport/wire.ts";

const LINGER_MS = 2000;
const NOTHING = Buffer.alloc(0);

export interface DetectedSessionOptions {
  readonly alarms: Alarms;
  /** For the first bytes. */
  readonly headMs: number;
  /** The codec of what the bytes are. */
  open(isHttp2: boolean, wire: Wire): ServerSession;
  /** The connection is gone, and nothing was opened. */
  closed(): void;
}

/**
 * Serves HTTP/2 where a connection begins with its preface, and HTTP/1.1 where it does not (RFC 9113 §3.3; Envoy's codec
 * AUTO). To the codec it is the wire, whose first bytes are the ones that were looked at.
 */
export class DetectedSession implements ServerSession, Input, Wire {
  readonly output: Output;
  readonly #wire: Wire;
  readonly #options: DetectedSessionOptions;
  readonly #late = new Alarm(() => this.#giveUp());
  readonly #linger = new Alarm(() => this.output.destroy());
  #held = NOTHING;
  #session: ServerSession | undefined;
  #input: Input | undefined;

  constructor(wire: Wire, options: DetectedSessionOptions) {
    this.output = wire.output;
    this.#wire = wire;
    this.#options = options;
    this.#late.set(options.alarms, options.headMs);
    wire.listen(this);
  }

  // ServerSession

  get active(): number {
    return this.#session?.active ?? 0;
  }

  drain(): void {
    this.#session?.drain();
  }

  closeIdle(): void {
    if (this.#session) this.#session.closeIdle();
    else this.output.destroy();
  }

  destroy(reason: string): void {
    if (this.#session) this.#session.destroy(reason);
    else this.output.destroy();
  }

  // Wire

  listen(input: Input): void {
    this.#input = input;
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  // Input

  bytes(chunk: Buffer): void {
    if (this.#input) this.#input.bytes(chunk);
    else this.#look(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]));
  }

  ended(): void {
    if (this.#input) this.#input.ended();
    else this.#giveUp();
  }

  drained(): void {
    this.#input?.drained();
  }

  closed(reason: string): void {
    this.#late.clear();
    this.#linger.clear();
    if (this.#input) this.#input.closed(reason);
    else this.#options.closed();
  }

  #look(bytes: Buffer): void {
    const length = Math.min(bytes.length, CLIENT_PREFACE.length);
    const matches = bytes.toString("latin1", 0, length) === CLIENT_PREFACE.slice(0, length);
    if (matches && length < CLIENT_PREFACE.length) {
      this.#held = Buffer.from(bytes);
      return;
    }
    this.#late.clear();
    this.#held = NOTHING;
    this.#session = this.#options.open(matches, this);
    this.#input?.bytes(bytes);
  }

  /** Nothing came, or no more. */
  #giveUp(): void {
    this.#late.clear();
    this.output.end();
    this.#linger.set(this.#options.alarms, LINGER_MS);
  }
}
