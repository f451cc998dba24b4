import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import type { ObjectKey, ParsedObject } from "../../mesh/model/object.ts";
import { parseObject } from "../../mesh/model/parse-object.ts";
import type { ConfigStore, StoreChange } from "./config-store.ts";

/** A store under test with a clock that the test sets. */
export interface StoreUnderTest {
  readonly store: ConfigStore;
  readonly setNow: (now: number) => void;
}

export const API = { origin: "api" };

export function keyFor(name: string, namespace = "default"): ObjectKey {
  return `PeerAuthentication/${namespace}/${name}`;
}

/** A valid object; `mode` is what makes one version differ from another. */
export function policyObject(name: string, mode = "STRICT", namespace = "default"): ParsedObject {
  const { object } = parseObject(
    {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name, namespace },
      spec: { mtls: { mode } },
    },
    { defaultNamespace: "default" },
  );
  assert.ok(object);
  return object;
}

function conflict(error: unknown): boolean {
  return error instanceof MeshError && error.code === "object.conflict" && error.hint !== undefined;
}

/** What every ConfigStore promises. */
export function testConfigStore(name: string, open: () => StoreUnderTest): void {
  const names = (store: ConfigStore): readonly string[] => store.list().map(({ metadata }) => metadata.name);

  test(`${name}: an empty store has nothing`, () => {
    const { store } = open();
    assert.deepEqual(store.list(), []);
    assert.equal(store.get(keyFor("a")), undefined);
    assert.equal(store.delete(keyFor("a"), API), false);
    assert.equal(store.revision, 0);
  });

  test(`${name}: what a guard refuses is not stored, in a dry run neither; what changes nothing is not asked about`, () => {
    const { store } = open();
    const asked: (readonly string[])[] = [];
    const stop = new AbortController();
    store.guard((changes) => {
      asked.push(changes.map(({ after }) => after?.metadata.name ?? ""));
      if (changes.length > 1) throw new MeshError("mesh.too-large", "too many");
    }, stop.signal);
    const two = [policyObject("a"), policyObject("b")];
    for (const dryRun of [true, false]) {
      assert.throws(() => store.apply(two, { ...API, dryRun }), { code: "mesh.too-large" });
    }
    assert.deepEqual(names(store), []);
    store.apply([policyObject("a")], API);
    store.apply([policyObject("a")], API);
    assert.deepEqual(asked, [["a", "b"], ["a", "b"], ["a"]]);
    stop.abort();
    store.apply(two, API);
    assert.deepEqual(names(store).toSorted(), ["a", "b"]);
  });

  test(`${name}: apply tells created, unchanged and configured`, () => {
    const { store } = open();
    const outcomes = (mode: string): readonly string[] =>
      store.apply([policyObject("a", mode), policyObject("b")], API).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes("STRICT"), ["created", "created"]);
    assert.equal(store.revision, 1);
    assert.deepEqual(outcomes("STRICT"), ["unchanged", "unchanged"]);
    assert.equal(store.revision, 1);
    assert.deepEqual(outcomes("DISABLE"), ["configured", "unchanged"]);
    assert.equal(store.revision, 2);
    assert.equal(store.get(keyFor("a"))?.revision, 2);
    assert.equal(store.get(keyFor("b"))?.revision, 1);
    assert.deepEqual(store.get(keyFor("a"))?.written["spec"], { mtls: { mode: "DISABLE" } });
  });

  test(`${name}: the creation time is that of the first apply`, () => {
    const { store, setNow } = open();
    setNow(1000);
    store.apply([policyObject("a")], API);
    setNow(2000);
    const [applied] = store.apply([policyObject("a", "DISABLE")], API);
    assert.equal(applied?.object.createdAt, 1000);
    assert.equal(store.get(keyFor("a"))?.createdAt, 1000);
    store.delete(keyFor("a"), API);
    store.apply([policyObject("a")], API);
    assert.equal(store.get(keyFor("a"))?.createdAt, 2000);
  });

  test(`${name}: objects are listed by precedence, and by kind and namespace`, () => {
    const { store, setNow } = open();
    setNow(2000);
    store.apply([policyObject("b"), policyObject("a"), policyObject("a", "STRICT", "shop")], API);
    setNow(1000);
    store.apply([policyObject("z")], API);
    assert.deepEqual(
      store.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      ["default/z", "default/a", "shop/a", "default/b"],
    );
    assert.equal(store.list({ namespace: "shop" }).length, 1);
    assert.equal(store.list({ kind: "VirtualService" }).length, 0);
    assert.equal(store.list({ kind: "PeerAuthentication", namespace: "default" }).length, 3);
  });

  test(`${name}: a dry run tells the outcome and stores nothing`, () => {
    const { store } = open();
    const [applied] = store.apply([policyObject("a")], { ...API, dryRun: true });
    assert.equal(applied?.outcome, "created");
    assert.deepEqual(names(store), []);
    assert.equal(store.revision, 0);
  });

  test(`${name}: what belongs to another origin is refused, and all that comes with it`, () => {
    const { store } = open();
    store.apply([policyObject("a")], { origin: "/etc/lateen.d/a.yaml" });
    assert.throws(() => store.apply([policyObject("b"), policyObject("a", "DISABLE")], API), conflict);
    assert.throws(() => store.apply([policyObject("a")], { ...API, dryRun: true }), conflict);
    assert.throws(() => store.delete(keyFor("a"), API), conflict);
    assert.deepEqual(names(store), ["a"]);
    assert.equal(store.revision, 1);
    store.apply([policyObject("c")], API);
    assert.throws(() => store.apply([policyObject("c")], { origin: "/etc/lateen.d/a.yaml" }), conflict);
  });

  test(`${name}: one object twice in an apply is refused`, () => {
    const { store } = open();
    const twice = [policyObject("a"), policyObject("a", "DISABLE")];
    assert.throws(() => store.apply(twice, API), { code: "object.conflict" });
    assert.deepEqual(names(store), []);
  });

  test(`${name}: an adopted object changes hands and keeps its creation time`, () => {
    const { store, setNow } = open();
    setNow(1000);
    store.apply([policyObject("a")], { origin: "/d/old.yaml" });
    setNow(2000);
    const [applied] = store.apply([policyObject("a")], { origin: "/d/new.yaml", adopt: ["/d/old.yaml"] });
    assert.equal(applied?.outcome, "configured");
    assert.equal(store.get(keyFor("a"))?.origin, "/d/new.yaml");
    assert.equal(store.get(keyFor("a"))?.createdAt, 1000);
  });

  test(`${name}: pruning deletes the origin's other objects and nobody else's`, () => {
    const { store } = open();
    store.apply([policyObject("a"), policyObject("b")], { origin: "/d/x.yaml" });
    store.apply([policyObject("c")], API);
    store.apply([policyObject("b")], { origin: "/d/x.yaml", prune: true });
    assert.deepEqual([...names(store)].sort(), ["b", "c"]);
  });

  test(`${name}: a deleted object is gone, and the revision grows`, () => {
    const { store } = open();
    store.apply([policyObject("a")], API);
    assert.equal(store.delete(keyFor("a"), API), true);
    assert.equal(store.get(keyFor("a")), undefined);
    assert.deepEqual(names(store), []);
    assert.equal(store.revision, 2);
  });

  test(`${name}: listeners hear each transaction once, until they are told to stop`, () => {
    const { store } = open();
    const heard: (readonly StoreChange[])[] = [];
    const stop = new AbortController();
    store.onChange((changes) => heard.push(changes), stop.signal);
    store.onChange(() => assert.fail("never called"), AbortSignal.abort());
    store.apply([policyObject("a"), policyObject("b")], API);
    store.apply([policyObject("a"), policyObject("b")], API);
    store.apply([policyObject("a", "DISABLE")], API);
    store.delete(keyFor("b"), API);
    stop.abort();
    store.delete(keyFor("a"), API);
    assert.deepEqual(
      heard.map((changes) =>
        changes.map(({ key, before, after }) => [key, before?.revision, after?.revision]),
      ),
      [
        [
          [keyFor("a"), undefined, 1],
          [keyFor("b"), undefined, 1],
        ],
        [[keyFor("a"), 1, 2]],
        [[keyFor("b"), 1, undefined]],
      ],
    );
  });

  test(`${name}: a listener sees the new state, and one that throws disturbs nobody`, () => {
    const { store } = open();
    const { signal } = new AbortController();
    let seen: string | undefined;
    store.onChange(() => {
      throw new Error("broken listener");
    }, signal);
    store.onChange(() => {
      seen = store.get(keyFor("a"))?.metadata.name;
    }, signal);
    store.apply([policyObject("a")], API);
    assert.equal(seen, "a");
  });
}
