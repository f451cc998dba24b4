import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { addressTowards } from "./address-towards.ts";

test("towards a server on this machine it is loopback", async () => {
  assert.equal(await addressTowards(["127.0.0.1:15012"]), "127.0.0.1");
  assert.equal(
    await addressTowards(["localhost:15012"]).then((address) => /^(127\.|::1$)/.test(address)),
    true,
  );
});

test("a server whose name is not known is passed over", async () => {
  assert.equal(await addressTowards(["mesh.invalid:15012", "127.0.0.1:15012"]), "127.0.0.1");
});

test("towards another machine it is an address that others reach", async (t) => {
  const outside = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  const reachable = outside.filter(({ internal }) => !internal).map(({ address }) => address);
  if (reachable.length === 0) {
    t.skip("this machine has no address but loopback");
    return;
  }
  // TEST-NET-2 (RFC 5737): routed as any other, answered by nobody.
  assert.ok(reachable.includes(await addressTowards(["198.51.100.1:15012"])));
  // There is no way to a broadcast address for those who do not ask for it.
  assert.ok(reachable.includes(await addressTowards(["255.255.255.255:15012"])));
  assert.ok(reachable.includes(await addressTowards([])));
});
