import assert from "node:assert/strict";
import { test } from "node:test";
import {
  caStatus,
  identityOnDisk,
  ROTATING_MESH,
  shakeHandsAllTheTime,
  walkToNewAuthority,
} from "../harness/ca-walk.ts";
import { peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

// At 500 requests a second: bench/rotation.bench.ts.
describeMesh("CA rotation", ROTATING_MESH, (mesh) => {
  test("a whole rotation fails no call and no handshake, with an agent away and the server restarted in it", async (t) => {
    await mesh().apply(peerAuthentication("STRICT"));
    const first = await caStatus(mesh());
    const started = performance.now();
    let shaken = { handshakes: 0, failures: [] as readonly string[] };
    const { calls, failures } = await mesh().underTraffic(
      "caller",
      "reviews",
      async () => {
        const handshakes = shakeHandsAllTheTime(mesh());
        await walkToNewAuthority(mesh());
        shaken = await handshakes.stop();
      },
      8,
    );
    const seconds = (performance.now() - started) / 1000;
    assert.deepEqual(failures, []);
    assert.deepEqual(shaken.failures, []);
    // Traffic all the time, on however slow a machine.
    assert.ok(calls > 200 && shaken.handshakes > 30, `${calls} calls, ${shaken.handshakes} handshakes`);
    t.diagnostic(`${calls} calls (${Math.round(calls / seconds)}/s), ${shaken.handshakes} handshakes`);
    const last = await caStatus(mesh());
    assert.notEqual(last.authorities[0]?.id, first.authorities[0]?.id);
    assert.equal(last.authorities.length, 1);
    for (const { spec } of mesh().hosts) {
      assert.equal((await identityOnDisk(mesh(), spec.name)).svid, last.authorities[0]?.id, spec.name);
    }
  });
});
