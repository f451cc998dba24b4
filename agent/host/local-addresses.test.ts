import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { localAddresses, parseFibTrie, parseIfInet6 } from "./local-addresses.ts";

test("what /proc says of this host's addresses is what netlink says", () => {
  const told = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  const read = [
    ...parseFibTrie(readFileSync("/proc/self/net/fib_trie", "utf8")),
    ...parseIfInet6(readFileSync("/proc/self/net/if_inet6", "utf8")),
  ].map(({ address }) => address);
  assert.ok(told.includes("127.0.0.1"));
  for (const address of told) assert.ok(read.includes(address), `${address} is not in ${read.join()}`);
  assert.deepEqual(
    localAddresses().map(({ address }) => address),
    told,
  );
});

test("loopback is told apart, and IPv6 is spelled as everywhere else", () => {
  assert.deepEqual(
    parseFibTrie(
      "  |-- 10.0.0.2\n     /32 host LOCAL\n  |-- 10.0.0.255\n     /32 link BROADCAST\n  |-- 127.0.0.1\n     /32 host LOCAL\n",
    ),
    [
      { address: "10.0.0.2", family: 4, internal: false },
      { address: "127.0.0.1", family: 4, internal: true },
    ],
  );
  assert.deepEqual(
    parseIfInet6(
      "00000000000000000000000000000001 01 80 10 80 lo\nfe800000000000000000000000000a01 02 40 20 80 eth0\n",
    ).map(({ address }) => address),
    ["::1", "fe80::a01"],
  );
});
