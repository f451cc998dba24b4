import assert from "node:assert/strict";
import { test } from "node:test";
import { addressTest } from "./allowed-addresses.ts";

const inside = [
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "100.64.0.1",
  "100.100.100.200",
  "169.254.169.254",
  "192.0.0.192",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:A9FE:A9FE",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1",
  "",
  "localhost",
  "127.1",
  "2130706433",
];
for (const address of inside) {
  test(`keys are not fetched from ${JSON.stringify(address)}`, () => {
    assert.equal(addressTest([])(address), false);
  });
}

for (const address of [
  "8.8.8.8",
  "172.32.0.1",
  "192.169.0.1",
  "100.128.0.1",
  "2606:4700::1111",
  "::ffff:8.8.8.8",
]) {
  test(`keys may be fetched from ${address}`, () => assert.equal(addressTest([])(address), true));
}

test("what the configuration names may be asked, and nothing beside it", () => {
  const mayConnect = addressTest(["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
  for (const address of ["10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd00::7"])
    assert.ok(mayConnect(address), address);
  for (const address of ["10.2.0.1", "127.0.0.2", "fe80::1", "169.254.169.254"])
    assert.ok(!mayConnect(address), address);
});
