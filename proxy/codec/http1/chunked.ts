import { COLON, CR, isHex, isToken, isValue, LF } from "../field-syntax.ts";

/** Sixteen digits would be more than a number holds exactly. */
const MOST_SIZE_DIGITS = 12;
/** Of all extensions of one body: nobody needs them (CVE-2024-22019). */
const MOST_EXTENSION_BYTES = 16_384;
const MOST_TRAILER_BYTES = 8192;
/** They would say anew what the message is, to a reader who takes trailers for headers (RFC 9110 §6.5.1). */
const NO_TRAILERS = new Set(["connection", "content-length", "host", "transfer-encoding", "upgrade"]);
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

type State =
  | "size"
  | "extension-start"
  | "extension-name"
  | "extension-value-start"
  | "extension-value"
  | "extension-quoted"
  | "extension-end"
  | "size-end"
  | "data"
  | "data-end"
  | "data-line-end"
  | "trailer-start"
  | "trailer-name"
  | "trailer-value"
  | "trailer-end"
  | "last-line-end"
  | "over";

/**
 * Takes a chunked body apart (RFC 9112 §7.1): hexadecimal sizes, CRLF and nothing else at the end of lines. Extensions
 * and trailers are read, bounded, and dropped (§7.1.1, §6.5.1 of RFC 9110).
 */
export class ChunkedReader {
  #state: State = "size";
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;
  #trailerName = "";
  problem: "chunk" | "chunk extensions" | "trailers" | undefined;
  /** Where in the last input it stopped: at its end, after some data, or after the body's end. */
  next = 0;

  get over(): boolean {
    return this.#state === "over";
  }

  /** Reads on to the next piece of data, which is returned; undefined at the end of input or body, or for a problem. */
  read(input: Buffer, from: number): Buffer | undefined {
    let index = from;
    while (index < input.length) {
      if (this.#state === "data") {
        const end = Math.min(input.length, index + this.#left);
        this.#left -= end - index;
        if (this.#left === 0) this.#state = "data-end";
        this.next = end;
        return input.subarray(index, end);
      }
      this.#step(input[index] ?? 0);
      index++;
      if (this.problem !== undefined || this.#state === "over") break;
    }
    this.next = index;
    return undefined;
  }

  #step(code: number): void {
    switch (this.#state) {
      case "size":
        return this.#size(code);
      case "extension-start":
      case "extension-name":
      case "extension-value-start":
      case "extension-value":
      case "extension-quoted":
      case "extension-end":
        return this.#extension(code);
      case "size-end":
        this.#digits = 0;
        return this.#expect(code === LF, this.#left === 0 ? "trailer-start" : "data");
      case "data-end":
        return this.#expect(code === CR, "data-line-end");
      case "data-line-end":
        return this.#expect(code === LF, "size");
      case "last-line-end":
        return this.#expect(code === LF, "over");
      default:
        return this.#trailer(code);
    }
  }

  #size(code: number): void {
    if (isHex(code)) {
      if (++this.#digits > MOST_SIZE_DIGITS) this.problem = "chunk";
      else this.#left = this.#left * 16 + Number.parseInt(String.fromCharCode(code), 16);
    } else if (this.#digits === 0) this.problem = "chunk";
    else if (code === CR) this.#state = "size-end";
    else if (code === SEMICOLON) this.#state = "extension-start";
    else this.problem = "chunk";
  }

  /** `;name`, `;name=token` or `;name="quoted"`, without blanks and without escapes. */
  #extension(code: number): void {
    if (++this.#extensionBytes > MOST_EXTENSION_BYTES) {
      this.problem = "chunk extensions";
      return;
    }
    const state = this.#state;
    if (state === "extension-quoted") {
      if (code === QUOTE) this.#state = "extension-end";
      else if (!isValue(code) || code === BACKSLASH) this.problem = "chunk";
      return;
    }
    if (isToken(code) && state !== "extension-end") {
      if (state === "extension-start") this.#state = "extension-name";
      else if (state === "extension-value-start") this.#state = "extension-value";
    } else if (code === EQUALS && state === "extension-name") this.#state = "extension-value-start";
    else if (code === QUOTE && state === "extension-value-start") this.#state = "extension-quoted";
    else if (state === "extension-start" || state === "extension-value-start") this.problem = "chunk";
    else if (code === SEMICOLON) this.#state = "extension-start";
    else this.#expect(code === CR, "size-end");
  }

  #trailer(code: number): void {
    if (++this.#trailerBytes > MOST_TRAILER_BYTES) {
      this.problem = "trailers";
      return;
    }
    switch (this.#state) {
      case "trailer-start":
        this.#trailerName = "";
        if (code === CR) this.#state = "last-line-end";
        else {
          this.#state = "trailer-name";
          this.#nameOfTrailer(code);
        }
        return;
      case "trailer-name":
        if (code === COLON) {
          this.#state = "trailer-value";
          if (NO_TRAILERS.has(this.#trailerName.toLowerCase())) this.problem = "trailers";
        } else this.#nameOfTrailer(code);
        return;
      case "trailer-value":
        if (code === CR) this.#state = "trailer-end";
        else if (!isValue(code)) this.problem = "trailers";
        return;
      default:
        return this.#expect(code === LF, "trailer-start");
    }
  }

  #nameOfTrailer(code: number): void {
    if (isToken(code)) this.#trailerName += String.fromCharCode(code);
    else this.problem = "trailers";
  }

  #expect(isThere: boolean, next: State): void {
    if (isThere) this.#state = next;
    else this.problem = "chunk";
  }
}
