import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { eventually } from "../harness/eventually.ts";
import { DOWNLOADED, GrpcCaller, type GrpcEcho, startGrpcEcho } from "../harness/grpc-echo.ts";
import { type DataPlaneKind, type Mesh, startMesh } from "../harness/mesh.ts";
import { loopbackGround, NO_APP } from "../harness/mesh-ground.ts";
import { bindPortOf, HTTP_PORT } from "../harness/mesh-topology.ts";
import { skipWithout } from "../harness/tools.ts";

const MOST = { timeout: 120_000 } as const;
const PAIRS = [
  ["builtin", "builtin"],
  ["builtin", "envoy"],
  ["envoy", "builtin"],
  ["envoy", "envoy"],
] as const satisfies readonly (readonly [DataPlaneKind, DataPlaneKind])[];

for (const [caller, server] of PAIRS) {
  const skip = [caller, server].includes("envoy") && skipWithout("envoy");
  describe(`gRPC from ${caller} to ${server}`, { skip, ...MOST }, () => {
    let app: GrpcEcho | undefined;
    let mesh: Mesh | undefined;
    /** As the caller's application has it: through both proxies, over mTLS. */
    let through: GrpcCaller;
    /** From outside the mesh: plaintext, through the server's proxy alone. */
    let plain: GrpcCaller;

    before(async () => {
      const ground = await loopbackGround(async (host) => {
        if (host.service !== "rpc") return NO_APP;
        app = await startGrpcEcho(host.loopback, HTTP_PORT);
        return app;
      });
      mesh = await startMesh({
        dataPlane: "builtin",
        ground,
        hosts: [
          { name: "caller", service: "caller", upstreams: ["rpc"], dataPlane: caller },
          { name: "rpc-1", service: "rpc", protocol: "grpc", dataPlane: server },
        ],
      });
      const from = mesh.host("caller").spec;
      through = new GrpcCaller(`${from.loopback}:${bindPortOf(from, "rpc")}`);
      plain = new GrpcCaller(`${mesh.host("rpc-1").spec.address}:${HTTP_PORT}`);
    });
    after(async () => {
      through?.[Symbol.dispose]();
      plain?.[Symbol.dispose]();
      await mesh?.[Symbol.asyncDispose]();
    });

    test("a call with its answer and what is said after it, through both proxies and through one", async () => {
      for (const path of [through, plain])
        assert.deepEqual(await path.unary("hello"), { value: "hello", trailer: "after" });
    });

    test("a failure with its status, its words and its metadata", async () => {
      for (const path of [through, plain]) {
        await assert.rejects(path.unary("fail"), ({ code, details, metadata }: ServiceError) => {
          assert.deepEqual(
            [code, details, metadata.get("x-trailer")],
            [status.NOT_FOUND, "nö: nothing", ["after"]],
          );
          return true;
        });
      }
    });

    test("a hundred calls at once", async () => {
      const texts = Array.from({ length: 100 }, (_, index) => `call ${index}`);
      const answers = await Promise.all(texts.map((text) => through.unary(text)));
      assert.deepEqual(
        answers.map(({ value }) => value),
        texts,
      );
    });

    test("streams of the caller, of the server and of both", async () => {
      for (const path of [through, plain]) {
        const chunks = Array.from({ length: 50 }, () => Buffer.alloc(10_000));
        assert.equal(await path.upload(chunks), "500000");
        assert.deepEqual(await path.download(), Array(DOWNLOADED.messages).fill(DOWNLOADED.bytes));
        const talk = path.talk();
        for (const word of ["one", "two", "three"]) {
          talk.write(Buffer.from(word));
          assert.equal(
            String((await once(talk, "data"))[0]),
            word,
            "each is answered before the next is sent",
          );
        }
        talk.end();
        assert.equal((await once(talk, "status"))[0].code, status.OK);
      }
    });

    test("a call that is cancelled is cancelled at the server", async () => {
      const before = app?.cancelled() ?? 0;
      const talk = through.talk();
      talk.on("error", () => {});
      talk.write(Buffer.from("hello"));
      await once(talk, "data");
      talk.cancel();
      await eventually("the server hears of it", () => (app?.cancelled() ?? 0) > before);
    });

    test("a deadline ends the call on both sides", async () => {
      const before = app?.cancelled() ?? 0;
      await assert.rejects(through.unary("never", 300), { code: status.DEADLINE_EXCEEDED });
      await eventually("the server hears of it", () => (app?.cancelled() ?? 0) > before);
    });

    test("a call that the server does not take now is made again", async () => {
      const before = app?.taken() ?? 0;
      assert.equal((await through.unary("once")).value, "once");
      assert.equal((app?.taken() ?? 0) - before, 2);
    });
  });
}
