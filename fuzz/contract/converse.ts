import assert from "node:assert/strict";
import { FULL_BYTES } from "../../proxy/transport/wire.ts";
import type { FakeWire } from "../../test/fakes/wire-pair.ts";
import { Random } from "../../test/harness/random.ts";

/** Who has a session, for the time of a conversation. */
export interface Owner {
  readonly isClosed: boolean;
  /** Octets that it has sent. */
  readonly written: number;
  step(): void;
  settle(): void;
}

/** Octets that say how the owner acts and how the bytes are cut up; the rest is what the other end sends. */
const SEED_BYTES = 2;
/** What a codec may say for an octet that it gets: answers to pings, resets, window updates, refusals. */
const MOST_ANSWERED = 64;
const MOST_UNASKED = 262_144;

export function seedOf(input: Buffer): Random {
  return new Random(((input[0] ?? 0) << 8) | (input[1] ?? 0));
}

/**
 * Lets the other end say `input` while the owner acts, then ends the connection. Afterwards the owner knows of its end, and
 * the session holds nothing. Returns what was written.
 */
export function converse(
  random: Random,
  input: Buffer,
  wire: FakeWire,
  owner: Owner,
  session: { readonly active: number; drain(): void; destroy(reason: string): void },
): Buffer {
  const written: Buffer[] = [];
  const take = (): void => void written.push(wire.take());
  const act = (): void => {
    for (let steps = random.below(4); steps > 0; steps--) owner.step();
    if (random.chance(0.01)) session.drain();
    if (random.chance(0.003)) session.destroy("given up");
    if (wire.pending > 0 && random.chance(0.5)) wire.drain();
    else if (random.chance(0.05)) wire.pending = FULL_BYTES;
    if (random.chance(0.5)) take();
  };
  const isSlow = random.chance(0.3);
  act();
  for (let at = SEED_BYTES; at < input.length && wire.state !== "destroyed"; ) {
    if (wire.paused) owner.settle();
    if (wire.paused && wire.pending > 0) wire.drain();
    if (wire.paused) break;
    const size = 1 + random.below(isSlow ? 8 : 2000);
    // Memory of its own, spoiled after: who keeps what is not theirs is found out.
    const piece = Buffer.from(input.subarray(at, at + size));
    wire.feed(piece);
    piece.fill(0xee);
    at += size;
    act();
  }
  if (wire.state !== "destroyed" && random.chance(0.5)) wire.finish();
  for (let turn = 0; turn < 4; turn++) act();
  if (random.chance(0.5)) owner.settle();
  wire.fail("over");
  take();
  assert.ok(owner.isClosed, "the owner is not told that the connection is gone");
  assert.equal(session.active, 0, "streams are left");
  owner.step();
  owner.settle();
  const bytes = Buffer.concat(written);
  const most = MOST_UNASKED + MOST_ANSWERED * input.length + 2 * owner.written;
  assert.ok(bytes.length <= most, `${bytes.length} octets are written for ${input.length}`);
  return bytes;
}
