import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials, type MethodDefinition, ServerCredentials, status } from "@grpc/grpc-js";
import { serveAgents } from "./server.ts";

const asIs = (bytes: Buffer): Buffer => bytes;
const forever: MethodDefinition<Buffer, Buffer> = {
  path: "/test.Test/Forever",
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

test("a call that does not end is cut off once the time to drain is over", async () => {
  const stop = new AbortController();
  const taken = Promise.withResolvers<void>();
  const serving = await serveAgents({
    address: "127.0.0.1",
    port: 0,
    credentials: ServerCredentials.createInsecure(),
    services: [{ definition: { forever }, handlers: { forever: () => taken.resolve() } }],
    signal: stop.signal,
    drainMs: 50,
  });
  const client = new Client(`127.0.0.1:${serving.port}`, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(forever.path, asIs, asIs);
  const ended = new Promise<status>((resolve) =>
    call.on("error", ({ code }: Error & { code: status }) => resolve(code)),
  );
  call.write(Buffer.from("hello"));
  await taken.promise;
  stop.abort();
  await serving.stopped;
  assert.equal(await ended, status.UNAVAILABLE);
  client.close();
});
