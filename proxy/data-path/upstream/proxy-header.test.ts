import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyHeader } from "./proxy-header.ts";

const v4 = { remoteAddress: "192.0.2.1", remotePort: 56_324, localAddress: "203.0.113.9", localPort: 443 };
const v6 = { remoteAddress: "2001:db8::1", remotePort: 1, localAddress: "::", localPort: 65_535 };
const SIGNATURE = "0d0a0d0a000d0a515549540a";

for (const { name, ends, text, hex } of [
  {
    name: "IPv4",
    ends: v4,
    text: "PROXY TCP4 192.0.2.1 203.0.113.9 56324 443\r\n",
    hex: "2111000cc0000201cb007109dc0401bb",
  },
  {
    name: "IPv6",
    ends: v6,
    text: "PROXY TCP6 2001:db8::1 :: 1 65535\r\n",
    hex: `2121002420010db8${"0".repeat(22)}01${"0".repeat(32)}0001ffff`,
  },
  {
    name: "both",
    ends: { ...v6, localAddress: "203.0.113.9" },
    text: "PROXY UNKNOWN\r\n",
    hex: `2121002420010db8${"0".repeat(22)}01${"0".repeat(20)}ffffcb0071090001ffff`,
  },
]) {
  test(`names ${name} in both versions`, () => {
    assert.equal(proxyHeader("v1", ends).toString(), text);
    assert.equal(proxyHeader("v2", ends).toString("hex"), SIGNATURE + hex);
  });
}

test("an address with a dotted end is read", () => {
  const header = proxyHeader("v2", { ...v6, remoteAddress: "64:ff9b::192.0.2.33" });
  assert.equal(header.toString("hex", 16, 32), `0064ff9b${"0".repeat(16)}c0000221`);
});
