import { type Answer, encode } from "dns-packet";
import { HEADER_BYTES, type Query, RCODE } from "./query.ts";

/** What is answered to a question. */
export interface Content {
  readonly rcode: number;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
}

const RESPONSE = 0x80_00;
const AUTHORITATIVE = 0x04_00;
const TRUNCATED = 0x02_00;
const RECURSION_AVAILABLE = 0x00_80;
/** What we take over UDP ourselves (RFC 6891 §6.2.4). */
const OWN_UDP_BYTES = 1232;

/** The message that answers a query. Over UDP, what does not fit goes as a word to come by TCP (RFC 2181 §9). */
export function encodeReply(query: Query, content: Content, over: "udp" | "tcp"): Buffer {
  const whole = build(query, content);
  if (over === "tcp" || whole.length <= query.udpLimit) return whole;
  // What is additional may be left out without a word.
  const lean = build(query, { ...content, additionals: [] });
  if (lean.length <= query.udpLimit) return lean;
  return truncated(
    query,
    build(query, { rcode: content.rcode, answers: [], authorities: [], additionals: [] }),
  );
}

/** An answer of somebody else that is too long for the one who asks. */
export function shortened(query: Query, reply: Buffer): Buffer {
  if (reply.length <= query.udpLimit) return reply;
  const empty = build(query, { rcode: RCODE.noError, answers: [], authorities: [], additionals: [] });
  empty.writeUInt16BE((empty.readUInt16BE(2) & ~AUTHORITATIVE) | TRUNCATED, 2);
  return empty;
}

/** An error for a message that is no question, or none that can be read. */
export function encodeRefusal(id: number, flags: number, rcode: number): Buffer {
  const extended = rcode > 15;
  const header = Buffer.alloc(HEADER_BYTES + (extended ? 11 : 0));
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RESPONSE | flags | RECURSION_AVAILABLE | (rcode & 15), 2);
  if (extended) {
    // An OPT record of the root: its TTL begins with the upper bits of the code (RFC 6891 §6.1.3).
    header.writeUInt16BE(1, 10);
    header.writeUInt16BE(41, 13);
    header.writeUInt16BE(OWN_UDP_BYTES, 15);
    header.writeUInt8(rcode >> 4, 17);
  }
  return header;
}

function truncated(query: Query, reply: Buffer): Buffer {
  reply.writeUInt16BE(reply.readUInt16BE(2) | TRUNCATED, 2);
  return reply.length <= query.udpLimit ? reply : reply.subarray(0, query.udpLimit);
}

function build(query: Query, { rcode, answers, authorities, additionals }: Content): Buffer {
  const reply = encode({
    type: "response",
    id: query.bytes.readUInt16BE(0),
    flags: AUTHORITATIVE | query.flags | RECURSION_AVAILABLE | rcode,
    answers: [...answers],
    authorities: [...authorities],
    additionals: [...additionals, ...(query.edns ? [OPT] : [])],
  });
  // The question as it came, bit for bit: those who ask compare it, and not every name survives being read and written.
  reply.writeUInt16BE(1, 4);
  return Buffer.concat([reply.subarray(0, HEADER_BYTES), query.question, reply.subarray(HEADER_BYTES)]);
}

const OPT: Answer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: OWN_UDP_BYTES,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};
