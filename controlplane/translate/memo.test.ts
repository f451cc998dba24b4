import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import { type Build, Memo } from "./memo.ts";

function snapshot(...names: readonly string[]): MeshSnapshot {
  return sampleState({ workloads: names.map((name) => workload(name, { name })) }).next().snapshot;
}

const keys = (...names: readonly SnapshotKey[]): ReadonlySet<SnapshotKey> => new Set(names);

/** A root over one child for each workload named. */
function rootOf(...names: readonly string[]): Build<readonly (string | undefined)[]> {
  return (scope) =>
    names.map((name) =>
      scope.get(`child/${name}`, ({ view, warn }) => {
        warn({ subject: name, message: "built" });
        return view.workload(`default/${name}`)?.service;
      }),
    );
}

function recorded(names: readonly string[]): { readonly memo: Memo; readonly take: () => readonly string[] } {
  const built: string[] = [];
  return { memo: new Memo(snapshot(...names), (key) => built.push(key)), take: () => built.splice(0) };
}

test("a value is built once, and again only when something that it read has changed", () => {
  const { memo, take } = recorded(["a", "b"]);
  assert.deepEqual(memo.root("root", rootOf("a", "b")), ["a", "b"]);
  assert.deepEqual(take(), ["root", "child/a", "child/b"]);
  memo.root("root", rootOf("a", "b"));
  memo.advance(snapshot("a", "b", "c"), keys("workload/default/c"));
  memo.root("root", rootOf("a", "b"));
  assert.deepEqual(take(), []);
  memo.advance(snapshot("b", "c"), keys("workload/default/a"));
  assert.deepEqual(memo.root("root", rootOf("a", "b")), [undefined, "b"]);
  assert.deepEqual(take(), ["root", "child/a"]);
});

test("what was absent when it was read is built again when it comes", () => {
  const { memo } = recorded([]);
  assert.deepEqual(memo.root("root", rootOf("late")), [undefined]);
  memo.advance(snapshot("late"), keys("workload/default/late"));
  assert.deepEqual(memo.root("root", rootOf("late")), ["late"]);
});

test("a rebuilt value that is the same keeps its identity", () => {
  const { memo } = recorded(["a"]);
  const build: Build<{ readonly text: string }> = ({ view }) => ({
    text: String(view.workload("default/a")?.name),
  });
  const same = (x: { text: string }, y: { text: string }): boolean => x.text === y.text;
  const before = memo.root("root", build, same);
  memo.advance(snapshot("a"), keys("workload/default/a"));
  assert.equal(memo.isFresh("root"), false);
  assert.equal(memo.root("root", build, same), before);
});

test("what no root uses any more is dropped, with its warnings; what another root uses stays", () => {
  const { memo } = recorded(["a", "b"]);
  memo.root("one", rootOf("a", "b"));
  memo.root("two", rootOf("b"));
  assert.equal(memo.size, 4);
  memo.release("one");
  assert.equal(memo.size, 2);
  assert.deepEqual(
    memo.warnings().map(({ subject }) => subject),
    ["b"],
  );
  memo.release("two");
  assert.equal(memo.size, 0);
});

test("what a rebuild no longer uses is dropped", () => {
  const { memo } = recorded(["a", "b"]);
  const build: Build<unknown> = (scope) =>
    rootOf(scope.view.workload("default/a") === undefined ? "b" : "a")(scope);
  memo.root("root", build);
  memo.advance(snapshot("b"), keys("workload/default/a"));
  memo.root("root", build);
  assert.deepEqual(
    memo.warnings().map(({ subject }) => subject),
    ["b"],
  );
});

test("a build that throws leaves the rest as it was, and is tried again", () => {
  const { memo, take } = recorded(["a", "b"]);
  let fail = false;
  const build: Build<unknown> = (scope) =>
    scope.get("middle", (inner) => {
      const value = rootOf("a", "b")(inner);
      if (fail) throw new Error("not now");
      return value;
    });
  const before = memo.root("root", build);
  fail = true;
  memo.advance(snapshot("b"), keys("workload/default/a"));
  assert.throws(() => memo.root("root", build), /not now/);
  assert.throws(() => memo.root("root", build), /not now/);
  fail = false;
  take();
  assert.notDeepEqual(memo.root("root", build), before);
  assert.deepEqual(take(), ["root", "middle"]);
  memo.release("root");
  assert.equal(memo.size, 0);
});
