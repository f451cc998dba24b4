/** With this much pending a codec sends no more of its bodies; `drained` tells when there is room again. */
export const FULL_BYTES = 262_144;

/**
 * The two directions of one connection, TLS or not, as codecs see it. What a codec writes is collected and goes out once
 * a turn of the event loop, in one write; under TLS one write is in flight at a time.
 */
export interface Output {
  /** Bytes that the kernel has not taken yet. */
  readonly pending: number;
  /** Copies the text, one byte a character (ISO 8859-1). */
  latin1(text: string): void;
  /** Copies the bytes. */
  bytes(chunk: Uint8Array): void;
  /** Room for `count` bytes that the caller fills in this turn: a view of the buffer to come. */
  reserve(count: number): Buffer;
  /** After everything written so far the sending direction is closed (FIN). */
  end(): void;
  /** Cuts the connection so that the other end cannot take what it has for everything (TCP reset). */
  destroy(): void;
}

/** What a codec hears of its connection. Bytes are the connection's again on return. */
export interface Input {
  bytes(chunk: Buffer): void;
  /** The other end sends no more. */
  ended(): void;
  /** `pending`, which was `FULL_BYTES` or more, has fallen far enough to go on writing. */
  drained(): void;
  /** The connection is gone; exactly once. */
  closed(reason: string): void;
}

/** A connection whose reading can be stopped, for back-pressure. */
export interface Wire {
  readonly output: Output;
  /** Who hears it; once, before anything is read. */
  listen(input: Input): void;
  pause(): void;
  resume(): void;
}
