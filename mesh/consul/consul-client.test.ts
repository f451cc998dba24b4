import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ConsulDouble } from "../../test/fakes/consul-double.ts";
import { MeshError } from "../errors.ts";
import { consulClient } from "./consul-client.ts";

const QUESTION = { path: "/catalog/services", timeoutMs: 2_000 };
const never = new AbortController().signal;

test("an answer has its index and its JSON", async () => {
  await using double = await ConsulDouble.start();
  double.catalog.put({ node: "n", id: "web", service: "web", address: "10.0.0.1", port: 80 });
  using client = consulClient({ address: double.address });
  const answer = await client.get(QUESTION, never);
  assert.deepEqual(answer, { index: 11, body: { consul: [], web: [] } });
});

test("the datacenter and the query go along", async () => {
  await using double = await ConsulDouble.start();
  using client = consulClient({ address: double.address, datacenter: "eu" });
  const asked = client.get({ ...QUESTION, query: { index: "3", wait: "30ms" } }, never);
  assert.deepEqual((await asked).body, { consul: [] });
});

test("an abort ends a request that is being held, at once", async () => {
  await using double = await ConsulDouble.start();
  using client = consulClient({ address: double.address });
  const stop = new AbortController();
  const held = client.get(
    { path: "/catalog/services", query: { index: "99" }, timeoutMs: 60_000 },
    stop.signal,
  );
  await delay(20);
  const begun = performance.now();
  stop.abort();
  await assert.rejects(held, MeshError);
  assert.ok(performance.now() - begun < 1_000);
});

test("a request whose signal is aborted already is not sent", async () => {
  await using double = await ConsulDouble.start();
  using client = consulClient({ address: double.address });
  await assert.rejects(client.get(QUESTION, AbortSignal.abort()), MeshError);
  assert.deepEqual(double.requests, []);
});

test("an answer that is too long is given up while it arrives", async () => {
  await using double = await ConsulDouble.start();
  double.script(/./, { kind: "huge", bytes: 50 << 20 });
  using client = consulClient({ address: double.address, maxBodyBytes: 1 << 16 });
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(client.get(QUESTION, never), /its answer is longer than 65536 bytes/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 20 << 20);
});

test("a token file that is missing or holds rubbish is told, and its content is not", async () => {
  await using double = await ConsulDouble.start();
  using absent = consulClient({ address: double.address, tokenFile: "/nonexistent/token" });
  await assert.rejects(absent.get(QUESTION, never), /ENOENT/);
  using rubbish = consulClient({ address: double.address, tokenFile: import.meta.filename });
  await assert.rejects(rubbish.get(QUESTION, never), /does not hold one token/);
});

test("nobody there is told with what to try", async () => {
  const double = await ConsulDouble.start();
  const { address } = double;
  await double[Symbol.asyncDispose]();
  using client = consulClient({ address });
  await assert.rejects(client.get(QUESTION, never), (error: unknown) => {
    assert.ok(error instanceof MeshError);
    assert.match(
      error.message,
      /ask consul at http:\/\/127\.0\.0\.1:\d+ for \/catalog\/services: .*ECONNREFUSED/,
    );
    assert.match(error.hint ?? "", /curl .*\/v1\/status\/leader/);
    return true;
  });
});
