import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { tlsCall } from "../harness/mesh-calls.ts";
import { peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { HTTP_PORT } from "../harness/mesh-topology.ts";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
] as const;

const ROTATIONS = 3;

describeMesh("SVID rotation", { hosts: HOSTS, leafTtlSeconds: 6 }, (mesh) => {
  test("SVIDs are renewed under traffic without one failed request", async () => {
    await mesh().apply(peerAuthentication("STRICT"));
    const serials = { caller: new Set<string>(), "reviews-v1": new Set<string>() };
    const shown = new Set<string>();
    const { calls, failures } = await mesh().underTraffic("caller", "reviews", async () => {
      await eventually(
        `${ROTATIONS} rotations of both`,
        async () => {
          for (const [name, seen] of Object.entries(serials)) {
            seen.add(new X509Certificate((await mesh().host(name).svid()).cert).serialNumber);
          }
          const { address } = mesh().host("reviews-v1").spec;
          const { serverSerial } = await tlsCall(address, HTTP_PORT, await mesh().host("caller").svid());
          shown.add(serverSerial);
          return Object.values(serials).every(({ size }) => size > ROTATIONS) && shown.size > ROTATIONS;
        },
        40_000,
      );
    });
    assert.deepEqual(failures, []);
    assert.ok(calls > 100, `only ${calls} calls`);
    const presented = [...shown].filter((serial) => serials["reviews-v1"].has(serial));
    assert.ok(presented.length >= ROTATIONS, "the data plane does not present the new SVIDs");
  });
});
