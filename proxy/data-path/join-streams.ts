import type { Duplex } from "node:stream";
import { breakOff } from "./break-off.ts";

export interface JoinOptions {
  /** No byte in either direction for this long ends both; 0 is without limit. */
  readonly idleMs: number;
  /** Both are ended after so long whatever they do; 0 is without limit. */
  readonly longestMs?: number;
  /** Bytes that `left` has sent. */
  readonly fromLeft: (count: number) => void;
  readonly fromRight: (count: number) => void;
}

/**
 * Lets two streams talk to each other: back-pressure and half-close pass through, an error on one side resets the
 * other. Resolves when both are closed. Never rejects.
 */
export async function joinStreams(left: Duplex, right: Duplex, options: JoinOptions): Promise<void> {
  const end = (): void => {
    left.destroy();
    right.destroy();
  };
  const timer = options.idleMs > 0 ? setTimeout(end, options.idleMs) : undefined;
  const { longestMs = 0 } = options;
  const limit = longestMs > 0 ? setTimeout(end, longestMs) : undefined;
  const count = (report: (bytes: number) => void) => (chunk: Buffer) => {
    timer?.refresh();
    report(chunk.length);
  };
  left.on("data", count(options.fromLeft));
  right.on("data", count(options.fromRight));
  left.pipe(right);
  right.pipe(left);
  await Promise.all([
    new Promise<void>((resolve) => closeBoth(left, right, resolve)),
    new Promise<void>((resolve) => closeBoth(right, left, resolve)),
  ]);
  clearTimeout(timer);
  clearTimeout(limit);
}

function closeBoth(stream: Duplex, other: Duplex, resolve: () => void): void {
  if (stream.destroyed) {
    breakOff(other);
    resolve();
    return;
  }
  stream.on("error", () => stream.destroy());
  stream.on("close", () => {
    // Closed before its end was passed on: the other side must not take that for an orderly end.
    if (!stream.readableEnded || !stream.writableFinished) breakOff(other);
    resolve();
  });
}
