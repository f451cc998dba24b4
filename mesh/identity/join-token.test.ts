import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf } from "../errors.ts";
import {
  formatJoinToken,
  generateJoinSecret,
  isJoinSecret,
  type JoinToken,
  parseJoinToken,
} from "./join-token.ts";
import { spkiPin } from "./spki-pin.ts";
import { parseTrustDomain } from "./trust-domain.ts";

const token: JoinToken = {
  addresses: ["10.0.0.1:15012", "mesh.example.org:443", "[::1]:15012"],
  trustDomain: parseTrustDomain("cluster.local"),
  pin: spkiPin(Buffer.from("key")),
  secret: generateJoinSecret(),
};
const text = formatJoinToken(token);
const [prefix, where, pin, secret] = text.split(".") as [string, string, string, string];
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a join token round trips, with white space around it", () => {
  assert.deepEqual(parseJoinToken(text), token);
  assert.deepEqual(parseJoinToken(`  ${text}\n`), token);
});

test("secrets are 43 characters and never the same", () => {
  const secrets = new Set(Array.from({ length: 100 }, generateJoinSecret));
  assert.equal(secrets.size, 100);
  for (const one of secrets) assert.ok(one.length === 43 && isJoinSecret(one));
});

const wrong: readonly { readonly name: string; readonly text: string }[] = [
  { name: "the empty text", text: "" },
  { name: "another version", text: `lateen2.${where}.${pin}.${secret}` },
  { name: "a missing part", text: `${prefix}.${where}.${pin}` },
  { name: "one part more", text: `${text}.x` },
  { name: "a secret that was cut off", text: text.slice(0, -1) },
  { name: "a secret that is longer", text: `${text}A` },
  { name: "a pin that was cut off", text: `${prefix}.${where}.${pin.slice(1)}.${secret}` },
  { name: "a place that is not JSON", text: `${prefix}.AAAA.${pin}.${secret}` },
  { name: "a place that is null", text: `${prefix}.${encode(null)}.${pin}.${secret}` },
  { name: "no addresses", text: `${prefix}.${encode({ a: [], t: "td" })}.${pin}.${secret}` },
  {
    name: "an address without a port",
    text: `${prefix}.${encode({ a: ["host"], t: "td" })}.${pin}.${secret}`,
  },
  { name: "port 0", text: `${prefix}.${encode({ a: ["host:0"], t: "td" })}.${pin}.${secret}` },
  { name: "port 65536", text: `${prefix}.${encode({ a: ["host:65536"], t: "td" })}.${pin}.${secret}` },
  { name: "an address that is a number", text: `${prefix}.${encode({ a: [1], t: "td" })}.${pin}.${secret}` },
  {
    name: "an upper-case trust domain",
    text: `${prefix}.${encode({ a: ["h:1"], t: "TD" })}.${pin}.${secret}`,
  },
  { name: "5000 characters", text: `${prefix}.${"A".repeat(5000)}.${pin}.${secret}` },
];

for (const { name, text } of wrong) {
  test(`${name} is no join token, and the message does not give it away`, () => {
    assert.throws(
      () => parseJoinToken(text),
      (error: unknown) => {
        assert.equal((error as { code?: string }).code, "agent.join");
        assert.ok(!messageOf(error).includes(secret));
        return true;
      },
    );
  });
}
