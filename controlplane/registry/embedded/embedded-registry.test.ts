import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../store/database.ts";
import { anInstance, type RegistrySubject, testRegistry } from "../registry.contract.ts";
import { EmbeddedRegistry } from "./embedded-registry.ts";

async function start(): Promise<RegistrySubject> {
  const database = openDatabase(":memory:");
  const registry = new EmbeddedRegistry(database, 0);
  return {
    registry,
    own: [],
    put: async (instance) => registry.put(instance),
    remove: async ({ id }) => void registry.remove(id),
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

testRegistry("embedded", start);

test("instances outlive the server", () => {
  const database = openDatabase(":memory:");
  new EmbeddedRegistry(database, 0).put(anInstance({ protocol: "grpc" }));
  assert.deepEqual(new EmbeddedRegistry(database, 1).list(), [anInstance({ protocol: "grpc" })]);
  database.close();
});

test("removing what is not there says so", () => {
  const database = openDatabase(":memory:");
  const registry = new EmbeddedRegistry(database, 0);
  registry.put(anInstance());
  assert.equal(registry.remove("other"), false);
  assert.equal(registry.remove(anInstance().id), true);
  assert.deepEqual(registry.list(), []);
  database.close();
});

test("every reader is told", async () => {
  const database = openDatabase(":memory:");
  const registry = new EmbeddedRegistry(database, 0);
  const readers = [1, 2].map(() => registry.watch(AbortSignal.timeout(1_000)));
  for (const reader of readers) assert.equal((await reader.next()).value?.kind, "synced");
  registry.put(anInstance());
  for (const reader of readers) {
    const { value } = await reader.next();
    assert.deepEqual(value?.kind === "service" && value.instances, [anInstance()]);
    await reader.return();
  }
  database.close();
});
