import { decode, type OptAnswer, type Packet } from "dns-packet";

/** A question that was received, with what its answer has to look like. */
export interface Query {
  /** The whole message as it came: what is forwarded is this. */
  readonly bytes: Buffer;
  /** Lower case and without the final dot; empty: the root, or a name that text cannot tell, which is nobody's here. */
  readonly name: string;
  /** As it was spelled, which the answer repeats. */
  readonly spelled: string;
  /** `A`, `AAAA`, `SRV`, …; `UNKNOWN_65` for what has no name here. */
  readonly type: string;
  readonly isInternet: boolean;
  /** The bytes of the question section. */
  readonly question: Buffer;
  /** What of the header's flags the answer repeats: RD and CD (RFC 1035 §4.1.1, RFC 4035 §3.2.2). */
  readonly flags: number;
  /** Bytes that an answer over UDP may have (RFC 6891 §6.2.3). */
  readonly udpLimit: number;
  readonly edns: boolean;
}

export type Received =
  | { readonly kind: "query"; readonly query: Query }
  /** To be answered with an error. `question` is empty when it could not be read. */
  | { readonly kind: "refused"; readonly id: number; readonly flags: number; readonly rcode: Refusal }
  /** No answer: it is none of ours, or an answer itself. */
  | { readonly kind: "ignored" };

/** RCODEs (RFC 1035 §4.1.1, RFC 6891 §9). */
export const RCODE = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  badVersion: 16,
} as const;
type Refusal = (typeof RCODE)["formatError" | "notImplemented" | "badVersion"];

export const HEADER_BYTES = 12;
const RESPONSE = 0x80_00;
const OPCODE = 0x78_00;
const RECURSION_DESIRED = 0x01_00;
const CHECKING_DISABLED = 0x00_10;
/** Without EDNS (RFC 1035 §2.3.4), and the most that passes everywhere (DNS flag day 2020). */
const PLAIN_UDP_BYTES = 512;
const MOST_UDP_BYTES = 1232;

/** Reads a message from the network. Never throws. */
export function parseQuery(bytes: Buffer): Received {
  if (bytes.length < HEADER_BYTES) return { kind: "ignored" };
  const id = bytes.readUInt16BE(0);
  const word = bytes.readUInt16BE(2);
  if ((word & RESPONSE) !== 0) return { kind: "ignored" };
  const flags = word & (RECURSION_DESIRED | CHECKING_DISABLED);
  const refuse = (rcode: Refusal): Received => ({ kind: "refused", id, flags, rcode });
  if ((word & OPCODE) !== 0) return refuse(RCODE.notImplemented);
  const end = questionEnd(bytes);
  // Queries have one question and nothing else but what is additional (RFC 9619).
  if (end === undefined || bytes.readUInt32BE(6) !== 0) return refuse(RCODE.formatError);
  const packet = decoded(bytes);
  const asked = packet?.questions?.[0];
  if (packet === undefined || asked === undefined) return refuse(RCODE.formatError);
  const options = (packet.additionals ?? []).filter((one): one is OptAnswer => one.type === "OPT");
  if (options.length > 1) return refuse(RCODE.formatError);
  const [edns] = options;
  if (edns !== undefined && edns.ednsVersion !== 0) return refuse(RCODE.badVersion);
  const spelled = asked.name === "." ? "" : asked.name;
  return {
    kind: "query",
    query: {
      bytes,
      name: isText(spelled, bytes.subarray(HEADER_BYTES)) ? spelled.toLowerCase() : "",
      spelled,
      type: asked.type,
      isInternet: (asked.class ?? "IN") === "IN",
      question: bytes.subarray(HEADER_BYTES, end),
      flags,
      udpLimit:
        edns === undefined
          ? PLAIN_UDP_BYTES
          : Math.min(Math.max(edns.udpPayloadSize, PLAIN_UDP_BYTES), MOST_UDP_BYTES),
      edns: edns !== undefined,
    },
  };
}

/** Whether a name is the text that it was read as: no bytes but printable ones, no dot that is not between labels. */
function isText(spelled: string, wire: Buffer): boolean {
  let labels = 0;
  for (let at = 0; (wire[at] ?? 0) > 0; at += (wire[at] ?? 0) + 1) labels += 1;
  return /^[!-~]*$/.test(spelled) && (spelled === "" ? 0 : spelled.split(".").length) === labels;
}

function decoded(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Where the only question ends; undefined when there is not just one, or when it has a compressed name, which nothing
 * before it could be meant by.
 */
export function questionEnd(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16BE(4) !== 1) return undefined;
  let at = HEADER_BYTES;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63) return undefined;
    at += length + 1;
    if (length === 0) break;
  }
  const end = at + 4;
  return end <= bytes.length ? end : undefined;
}
