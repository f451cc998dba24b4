import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../mesh/lifecycle/clock.ts";

const LIFE_MS = 60_000;
const TIME_BYTES = 8;
const RANDOM_BYTES = 16;

/**
 * Fresh numbers for strangers to sign, without a memory of them: each carries its time and is sealed, together with the
 * key that it is for, by a secret of this process. One that is shown twice does no harm: it is good for that key alone,
 * whose possession is proven each time.
 */
export class Challenges {
  readonly #secret = randomBytes(32);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  make(publicKeyDer: Uint8Array): Buffer {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeBigUInt64BE(BigInt(Math.floor(this.#clock.monotonic())));
    const body = Buffer.concat([time, randomBytes(RANDOM_BYTES)]);
    return Buffer.concat([body, this.#seal(body, publicKeyDer)]);
  }

  /** Whether it was made here for this key, at most a minute ago. */
  isFresh(challenge: Uint8Array, publicKeyDer: Uint8Array): boolean {
    const bytes = Buffer.from(challenge);
    const body = bytes.subarray(0, TIME_BYTES + RANDOM_BYTES);
    const seal = bytes.subarray(body.length);
    const wanted = this.#seal(body, publicKeyDer);
    if (seal.length !== wanted.length || !timingSafeEqual(seal, wanted)) return false;
    return this.#clock.monotonic() - Number(body.readBigUInt64BE()) <= LIFE_MS;
  }

  #seal(body: Uint8Array, publicKeyDer: Uint8Array): Buffer {
    return createHmac("sha256", this.#secret).update(body).update(publicKeyDer).digest();
  }
}
