import { ConnectionError, ErrorCode } from "../error-code.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

/** Takes the fields of a block, in order. */
export interface FieldSink {
  field(name: string, value: string): void;
}

/** SETTINGS_HEADER_TABLE_SIZE of a connection on which nobody has said another (RFC 9113 §6.5.2). */
const INITIAL_TABLE_SIZE = 4096;

/** Decodes the field blocks of one connection, all of them and in order (RFC 7541). */
export class HpackDecoder {
  readonly #table = new DynamicTable(INITIAL_TABLE_SIZE);
  /** The most that the peer may let the table grow to. */
  #limit = INITIAL_TABLE_SIZE;
  /** The next block has to begin with the smaller size that was agreed on. */
  #owesUpdate = false;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** The peer has acknowledged a table of at most so many bytes (RFC 7541 §4.2). */
  limitTable(bytes: number): void {
    this.#limit = bytes;
    if (this.#table.capacity > bytes) this.#owesUpdate = true;
  }

  /** Reads `block[start..end)`, a whole field block. Throws ConnectionError. */
  decode(block: Buffer, start: number, end: number, sink: FieldSink): void {
    this.#block = block;
    this.#at = start;
    this.#end = end;
    this.#updates();
    while (this.#at < end) {
      const first = block[this.#at] ?? 0;
      if (first >= 0x80) {
        this.#indexed(sink);
      } else if (first >= 0x40) {
        const name = this.#name(6);
        const value = this.#string();
        this.#table.insert(name, value);
        sink.field(name, value);
      } else if (first < 0x20) {
        const name = this.#name(4);
        sink.field(name, this.#string());
      } else {
        throw broken("table size update after a field");
      }
    }
    if (this.#at !== end) throw broken("block cut off");
  }

  /** Changes of the table's size, which come before all fields: two at most, the smallest and the last (§4.2). */
  #updates(): void {
    let count = 0;
    while (this.#at < this.#end && ((this.#block[this.#at] ?? 0) & 0xe0) === 0x20) {
      const size = this.#integer(5);
      if (size > this.#limit) throw broken("table larger than allowed");
      if (++count > 2) throw broken("too many table size updates");
      this.#table.resize(size);
    }
    if (this.#owesUpdate && this.#table.capacity > this.#limit) throw broken("no table size update");
    this.#owesUpdate = false;
  }

  #indexed(sink: FieldSink): void {
    const index = this.#integer(7);
    if (index === 0) throw broken("index 0");
    if (index < STATIC_LENGTH) {
      sink.field(STATIC_NAMES[index] ?? "", STATIC_VALUES[index] ?? "");
      return;
    }
    const place = this.#dynamic(index);
    sink.field(this.#table.name(place), this.#table.value(place));
  }

  #name(prefix: number): string {
    const index = this.#integer(prefix);
    if (index === 0) return this.#string();
    if (index < STATIC_LENGTH) return STATIC_NAMES[index] ?? "";
    return this.#table.name(this.#dynamic(index));
  }

  #dynamic(index: number): number {
    const place = index - STATIC_LENGTH;
    if (place >= this.#table.length) throw broken("index outside of the tables");
    return place;
  }

  /** RFC 7541 §5.1, up to four bytes after the prefix: more than any of our limits. */
  #integer(prefix: number): number {
    const most = (1 << prefix) - 1;
    let value = (this.#block[this.#at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) throw broken("integer cut off");
      const byte = this.#block[this.#at++] ?? 0;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw broken("integer too large");
  }

  #string(): string {
    if (this.#at >= this.#end) throw broken("string cut off");
    const huffman = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const from = this.#at;
    if (length > this.#end - from) throw broken("string cut off");
    this.#at = from + length;
    return huffman
      ? decodeHuffman(this.#block, from, this.#at)
      : this.#block.toString("latin1", from, this.#at);
  }
}

function broken(reason: string): ConnectionError {
  return new ConnectionError(ErrorCode.compressionError, reason);
}
