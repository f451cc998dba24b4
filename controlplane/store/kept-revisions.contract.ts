import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey, ParsedObject } from "../../mesh/model/object.ts";
import { parseObject } from "../../mesh/model/parse-object.ts";
import { API, policyObject, type StoreUnderTest } from "./config-store.contract.ts";
import type { ConfigStore, StoreChange } from "./config-store.ts";

const ROUTE: ObjectKey = "VirtualService/default/reviews";

/** One VirtualService; where it leads is what makes one version differ from another. */
export function routeTo(host: string): ParsedObject {
  const { object } = parseObject(
    {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "reviews", namespace: "default" },
      spec: { hosts: ["reviews"], http: [{ route: [{ destination: { host } }] }] },
    },
    { defaultNamespace: "default" },
  );
  assert.ok(object);
  return object;
}

/** Of each unsettled object its revision and the kept one. */
export function revisionsOf(store: ConfigStore): readonly (readonly [number, number | undefined])[] {
  return store.unsettled().map(({ object, kept }) => [object.revision, kept?.revision]);
}

/** Says of the newest revisions of all objects that they are in force. */
export function settleAll(store: ConfigStore): void {
  store.settle(store.unsettled().map(({ object }) => object));
}

/** What every ConfigStore promises of revisions that stay in force. */
export function testKeptRevisions(name: string, open: () => StoreUnderTest): void {
  test(`${name}: the last settled revision is kept until a newer one is settled`, () => {
    const { store } = open();
    store.apply([routeTo("a")], API);
    assert.deepEqual(revisionsOf(store), [[1, undefined]]);
    settleAll(store);
    assert.deepEqual(revisionsOf(store), []);
    store.apply([routeTo("b")], API);
    store.apply([routeTo("c")], API);
    assert.deepEqual(revisionsOf(store), [[3, 1]]);
    assert.deepEqual(store.unsettled()[0]?.kept?.written, routeTo("a").written);
    settleAll(store);
    store.apply([routeTo("d")], API);
    assert.deepEqual(revisionsOf(store), [[4, 3]]);
  });

  test(`${name}: what was never settled is not kept`, () => {
    const { store } = open();
    store.apply([routeTo("a")], API);
    store.apply([routeTo("b")], API);
    assert.deepEqual(revisionsOf(store), [[2, undefined]]);
  });

  test(`${name}: an older revision that is settled late settles nothing`, () => {
    const { store } = open();
    const [first] = store.apply([routeTo("a")], API);
    assert.ok(first);
    store.apply([routeTo("b")], API);
    store.settle([first.object]);
    assert.deepEqual(revisionsOf(store), [[2, undefined]]);
  });

  test(`${name}: what is kept goes with its object, and one created anew under its name has nothing of it`, () => {
    const { store } = open();
    store.apply([routeTo("a")], API);
    settleAll(store);
    store.apply([routeTo("b")], API);
    store.delete(ROUTE, API);
    assert.deepEqual(revisionsOf(store), []);
    store.apply([routeTo("c")], API);
    assert.deepEqual(revisionsOf(store), [[4, undefined]]);
  });

  test(`${name}: listeners hear what is kept, and of settling nothing`, () => {
    const { store } = open();
    const heard: StoreChange[] = [];
    store.onChange((changes) => heard.push(...changes), new AbortController().signal);
    store.apply([routeTo("a")], API);
    settleAll(store);
    store.apply([routeTo("b")], API);
    store.delete(ROUTE, API);
    assert.deepEqual(
      heard.map(({ kept }) => kept?.revision),
      [undefined, 1, undefined],
    );
    assert.equal(store.revision, 3);
  });

  test(`${name}: nothing is kept of objects that lead nowhere, nor by what changes nothing`, () => {
    const { store } = open();
    store.apply([policyObject("a")], API);
    store.apply([policyObject("a", "DISABLE"), routeTo("a")], API);
    settleAll(store);
    store.apply([routeTo("b")], { ...API, dryRun: true });
    store.apply([routeTo("a")], API);
    assert.deepEqual(revisionsOf(store), []);
  });
}
