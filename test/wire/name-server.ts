import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

const HEADER_BYTES = 12;
const TYPE_A = 1;
const RESPONSE = 0x8180;
const NO_SUCH_NAME = 0x8183;
/** Names may change in mid-case; nothing is kept for longer. */
const TTL_SECONDS = 1;

/** A DNS server on loopback that knows the names it is told: A records, and NXDOMAIN for the rest. */
export class NameServer implements AsyncDisposable {
  readonly names = new Map<string, readonly string[]>();
  readonly #socket: Socket = createSocket("udp4");

  static async start(address: string): Promise<NameServer> {
    const server = new NameServer();
    const { names } = server;
    server.#socket.on("message", (query, { address: from, port }) => {
      const reply = answer(query, (name) => names.get(name));
      if (reply !== undefined) server.#socket.send(reply, port, from);
    });
    server.#socket.bind(0, address);
    await once(server.#socket, "listening");
    return server;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** As a resolver in this process. Rejects for a name that is not known. */
  readonly resolve = async (name: string): Promise<readonly string[]> => {
    const found = this.names.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return await Promise.resolve(found);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

/** RFC 1035 §4: the question, then an A record for each address. Undefined for what is no question. */
function answer(
  query: Buffer,
  addressesOf: (name: string) => readonly string[] | undefined,
): Buffer | undefined {
  if (query.length < HEADER_BYTES + 5) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  const addresses = addressesOf(labels.join(".").toLowerCase());
  const records = query.readUInt16BE(at + 1) === TYPE_A ? (addresses ?? []) : [];
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(addresses === undefined ? NO_SUCH_NAME : RESPONSE, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records.map(aRecord)]);
}

function aRecord(address: string): Buffer {
  const record = Buffer.alloc(16);
  // The name is that of the question, by pointer.
  record.writeUInt16BE(0xc0_0c, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split(".").map(Number), 12);
  return record;
}
