/** Most heads, and most answers with their bodies, fit. */
const SMALL_BYTES = 16_384;
/** As much as one read brings. */
export const LARGE_BYTES = 65_536;
/** Kept for the next: what a busy turn of the event loop needs, and no more than 16 and 8 MiB. */
const MOST_SMALL_KEPT = 1024;
const MOST_LARGE_KEPT = 128;

/** Memory for bytes on their way to the kernel. Connections borrow it while they have something to say. */
const small: Buffer[] = [];
const large: Buffer[] = [];

/** At least so long, up to 64 KiB. What is in it is somebody else's of before. */
export function takeSegment(bytes: number): Buffer {
  return bytes <= SMALL_BYTES
    ? (small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES))
    : (large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES));
}

/** Nobody looks at it any more. */
export function giveSegment(segment: Buffer): void {
  if (segment.length === SMALL_BYTES) {
    if (small.length < MOST_SMALL_KEPT) small.push(segment);
  } else if (large.length < MOST_LARGE_KEPT) large.push(segment);
}
