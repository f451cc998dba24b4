import { HeaderList } from "../../tables/header-list.ts";
import { isDisguised } from "../field-syntax.ts";
import { isFieldValue, isLowerName, parseLength } from "./characters.ts";
import type { FieldSink } from "./hpack/decoder.ts";
import { ENTRY_OVERHEAD } from "./hpack/dynamic-table.ts";

const COLON = 0x3a;

/**
 * What every field section has to keep (RFC 9113 §8.2): well-formed names and values, no fields of one connection,
 * pseudo-headers first, and the limits. One object serves all sections of its kind on a connection, one at a time.
 */
export abstract class ReceivedFields implements FieldSink {
  readonly #maxBytes: number;
  readonly #maxCount: number;
  #bytes = 0;
  #count = 0;
  #regularSeen = false;
  #cookie: string | undefined;
  protected headers = new HeaderList();
  protected contentLength: number | undefined;
  /** What makes the section malformed (§8.1.1). */
  problem: string | undefined;
  tooLarge = false;

  constructor(limits: { readonly maxHeaderBytes: number; readonly maxHeaderCount: number }) {
    this.#maxBytes = limits.maxHeaderBytes;
    this.#maxCount = limits.maxHeaderCount;
  }

  begin(): void {
    this.#bytes = 0;
    this.#count = 0;
    this.#regularSeen = false;
    this.#cookie = undefined;
    this.headers = new HeaderList();
    this.contentLength = undefined;
    this.problem = undefined;
    this.tooLarge = false;
  }

  /** Past a limit or a mistake nothing is kept: the block is decoded to its end for the sake of the table alone. */
  field(name: string, value: string): void {
    this.#bytes += name.length + value.length + ENTRY_OVERHEAD;
    if (++this.#count > this.#maxCount || this.#bytes > this.#maxBytes) this.tooLarge = true;
    if (this.tooLarge || this.problem !== undefined) return;
    if (!isFieldValue(value)) {
      this.problem = "field value";
    } else if (name.charCodeAt(0) === COLON) {
      if (this.#regularSeen) this.problem = "pseudo-header after fields";
      else this.pseudo(name, value);
    } else {
      this.#regularSeen = true;
      this.#regular(name, value);
    }
  }

  protected abstract pseudo(name: string, value: string): void;

  /** A regular field of valid form. */
  protected regular(name: string, value: string): void {
    this.headers.appendAs(name, name, value);
  }

  /** The list is complete: cookies, which HTTP/2 may split, are one field again (§8.2.3). */
  protected finish(): HeaderList {
    if (this.#cookie !== undefined) this.headers.appendAs("cookie", "cookie", this.#cookie);
    return this.headers;
  }

  #regular(name: string, value: string): void {
    switch (name) {
      case "connection":
      case "keep-alive":
      case "proxy-connection":
      case "transfer-encoding":
      case "upgrade":
        this.problem = `${name} in HTTP/2`;
        return;
      case "te":
        if (value !== "trailers") this.problem = "te";
        return;
      case "cookie":
        this.#cookie = this.#cookie === undefined ? value : `${this.#cookie}; ${value}`;
        return;
      case "content-length": {
        const length = parseLength(value);
        if (length === undefined || this.contentLength !== undefined) this.problem = "content-length";
        this.contentLength = length;
        return;
      }
      default:
        if (!isLowerName(name)) this.problem = "field name";
        else if (isDisguised(name)) this.problem = "disguised header";
        else this.regular(name, value);
    }
  }
}

/** Trailers have no pseudo-headers, and what would be framing in a head says nothing in them (RFC 9110 §6.5.1). */
export class TrailerFields extends ReceivedFields {
  protected override pseudo(): void {
    this.problem = "pseudo-header in trailers";
  }

  trailers(): HeaderList | undefined {
    const list = this.finish();
    return list.length > 0 ? list : undefined;
  }
}
