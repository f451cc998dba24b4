/** What a TLS ClientHello says openly (RFC 8446 §4.1.2). */
export interface ClientHello {
  /** Lower case; empty when there is none. */
  readonly serverName: string;
  readonly alpn: readonly string[];
}

export type Peeked =
  /** More bytes are needed to tell. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "plain" }
  | { readonly kind: "tls"; readonly hello: ClientHello };

const HANDSHAKE_RECORD = 0x16;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
/** Post-quantum key shares make a hello of about 2 KiB; far more than that is no hello. */
const LONGEST_HELLO = 16_384;
/** Cut into so small records that it is longer than this on the wire, it is none either: all of it is kept until then. */
const MOST_BYTES = 2 * LONGEST_HELLO;

/**
 * Looks at the first bytes of a connection. Reads only; whatever is not a well-formed ClientHello is `plain` and left
 * to the chain for plain bytes.
 */
export function peekClientHello(bytes: Buffer): Peeked {
  if (bytes.length === 0) return { kind: "incomplete" };
  if (bytes[0] !== HANDSHAKE_RECORD || (bytes.length > 1 && bytes[1] !== 3)) return { kind: "plain" };
  const { message, broken } = joinRecords(bytes);
  const unfinished: Peeked = broken || bytes.length > MOST_BYTES ? { kind: "plain" } : { kind: "incomplete" };
  if (message.length < 4) return unfinished;
  const length = message.readUIntBE(1, 3);
  if (message[0] !== CLIENT_HELLO || length > LONGEST_HELLO) return { kind: "plain" };
  if (message.length < 4 + length) return unfinished;
  try {
    return { kind: "tls", hello: readHello(new Reader(message.subarray(4, 4 + length))) };
  } catch {
    return { kind: "plain" };
  }
}

interface Joined {
  /** The handshake bytes of the records so far. */
  readonly message: Buffer;
  /** A record of another kind follows, or one without a byte: the message goes no further. */
  readonly broken: boolean;
}

function joinRecords(bytes: Buffer): Joined {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== HANDSHAKE_RECORD || length === 0)
      return { message: Buffer.concat(parts), broken: true };
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return { message: Buffer.concat(parts), broken: false };
}

function readHello(reader: Reader): ClientHello {
  reader.take(2 + 32);
  reader.take(reader.uint(1)); // session id
  reader.take(reader.uint(2)); // cipher suites
  reader.take(reader.uint(1)); // compression methods
  let serverName = "";
  let alpn: string[] = [];
  if (reader.done) return { serverName, alpn };
  const extensions = new Reader(reader.take(reader.uint(2)));
  while (!extensions.done) {
    const type = extensions.uint(2);
    const body = new Reader(extensions.take(extensions.uint(2)));
    if (type === SERVER_NAME) serverName = readServerName(body);
    else if (type === ALPN) alpn = readAlpn(body);
  }
  return { serverName, alpn };
}

function readServerName(body: Reader): string {
  const names = new Reader(body.take(body.uint(2)));
  while (!names.done) {
    const type = names.uint(1);
    const name = names.take(names.uint(2)).toString("latin1");
    if (type === 0) return name.toLowerCase();
  }
  return "";
}

function readAlpn(body: Reader): string[] {
  const list = new Reader(body.take(body.uint(2)));
  const names: string[] = [];
  while (!list.done) names.push(list.take(list.uint(1)).toString("latin1"));
  return names;
}

/** Throws when asked for more than there is. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  uint(size: 1 | 2): number {
    return this.take(size).readUIntBE(0, size);
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("truncated");
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
