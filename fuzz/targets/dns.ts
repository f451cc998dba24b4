import assert from "node:assert/strict";
import { decode, encode, type OptAnswer } from "dns-packet";
import { decide } from "../../agent/dns/decide.ts";
import { NameTable } from "../../agent/dns/name-table.ts";
import { HEADER_BYTES, parseQuery } from "../../agent/dns/query.ts";
import { encodeRefusal, encodeReply } from "../../agent/dns/reply.ts";
import type { Target } from "../target.ts";

const table = new NameTable("loopback");
table.set({
  hostname: "reviews.default.svc.cluster.local",
  aliases: ["reviews", "reviews.mesh", "reviews.service.consul"],
  addresses: ["240.240.1.2", "fd00::1"],
  ports: Array.from({ length: 40 }, (_, index) => ({ number: index + 1, name: `http-${index}` })),
});
table.set({
  hostname: "*.wild.example",
  aliases: [],
  addresses: ["10.0.0.1"],
  ports: [{ number: 80, name: "http" }],
});
const NAMES = { tables: [table], zones: ["mesh", "svc.cluster.local"], searchDomain: "corp.example" };

/** Whatever is asked, the answer can be read, is to that question, and fits where it goes. */
export const dnsQuery: Target = {
  name: "dns-query",
  longest: 1024,
  words: [
    "\x07reviews",
    "\x04mesh",
    "\x05_http\x04_tcp",
    "\x07service\x06consul",
    "\0\0\x21\0\x01",
    "\xc0\x0c",
    "\0\0\x29\x04\xd0",
  ],
  seeds: () => [
    ask("reviews.mesh", "A"),
    ask("_http._tcp.reviews", "SRV", 1232),
    ask("reviews", "SRV"),
    ask("a.wild.example", "AAAA"),
    ask("reviews.corp.example", "A", 4096),
    ask("nobody.mesh", "TXT"),
  ],
  run(input) {
    const received = parseQuery(Buffer.from(input));
    if (received.kind === "ignored") return;
    if (received.kind === "refused") {
      const refusal = decode(encodeRefusal(received.id, received.flags, received.rcode));
      assert.equal(refusal.id, input.readUInt16BE(0));
      return;
    }
    const { query } = received;
    const decision = decide(query, NAMES);
    if (decision.kind !== "content") return;
    for (const over of ["udp", "tcp"] as const) {
      const reply = encodeReply(query, decision.content, over);
      assert.ok(reply.length <= (over === "udp" ? query.udpLimit : 65_535), "it is too long");
      decode(reply);
      const repeated = reply.subarray(HEADER_BYTES, HEADER_BYTES + query.question.length);
      assert.deepEqual(repeated, query.question, "it answers another question");
    }
  },
};

function ask(name: string, type: "A" | "AAAA" | "SRV" | "TXT", udpPayloadSize?: number): Buffer {
  const opt: OptAnswer = {
    type: "OPT",
    name: ".",
    udpPayloadSize: udpPayloadSize ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return encode({
    type: "query",
    id: 1,
    flags: 0x01_00,
    questions: [{ name, type }],
    ...(udpPayloadSize === undefined ? {} : { additionals: [opt] }),
  });
}
