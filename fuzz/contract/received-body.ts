import assert from "node:assert/strict";
import type { BodyLength, BodySink, ResetCause } from "../../proxy/codec/stream.ts";
import type { HeaderList } from "../../proxy/tables/header-list.ts";
import type { Random } from "../../test/harness/random.ts";
import { checkHeaders } from "./heads.ts";

/** Takes a body, sometimes slowly, and holds the one who brings it to the order of `BodySink`. */
export class ReceivedBody implements BodySink {
  readonly #random: Random;
  readonly #length: () => BodyLength | undefined;
  #bytes = 0;
  #over: "no" | "ended" | "reset" = "no";
  /** Nothing more may come: the receiver has gone, or its stream is closed. */
  gone = false;
  held = false;

  /** `length`: what was announced; undefined: no head has come, or bytes go both ways. */
  constructor(random: Random, length: () => BodyLength | undefined) {
    this.#random = random;
    this.#length = length;
  }

  get over(): boolean {
    return this.#over !== "no";
  }

  data(bytes: Buffer): boolean {
    this.#expectMore("data");
    assert.ok(!this.held, "data while the sender is held back");
    this.#bytes += bytes.length;
    const length = this.#length();
    assert.notEqual(length?.kind, "none", "data of no body");
    if (length?.kind === "sized") assert.ok(this.#bytes <= length.bytes, "more than was announced");
    this.held = this.#random.chance(0.2);
    return !this.held;
  }

  end(trailers: HeaderList | undefined): void {
    this.#expectMore("end");
    this.#over = "ended";
    const length = this.#length();
    if (length?.kind === "sized") assert.equal(this.#bytes, length.bytes, "less than was announced");
    if (trailers !== undefined) checkHeaders(trailers);
  }

  reset(_cause: ResetCause): void {
    this.#expectMore("reset");
    this.#over = "reset";
  }

  #expectMore(what: string): void {
    assert.ok(!this.gone, `${what} after the stream`);
    assert.equal(this.#over, "no", `${what} after the end`);
  }
}
