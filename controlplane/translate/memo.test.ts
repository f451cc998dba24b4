import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import { sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import type { MeshSnapshot, SnapshotKey } from "../snapshot/mesh-snapshot.ts";
import { type Build, Memo, type Scope } from "./memo.ts";

function snapshot(...names: readonly string[]): MeshSnapshot {
  return sampleState({ workloads: names.map((name) => workload(name, { name })) }).next().snapshot;
}

const keys = (...names: readonly SnapshotKey[]): ReadonlySet<SnapshotKey> => new Set(names);

/** A root over one child for each workload named. */
function rootOf(...names: readonly string[]): (scope: Scope) => readonly (string | undefined)[] {
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

test("what a build has read counts, too, when the last one that had read it before no longer does meanwhile", () => {
  const { memo } = recorded(["a"]);
  const child: Build<string | undefined> = ({ view }) =>
    view.workload("default/switch") === undefined ? view.workload("default/a")?.name : "switched";
  const outer: Build<string | undefined> = (scope) => {
    const name = scope.view.workload("default/a")?.name;
    return scope.get("child", child) === "switched" ? name : undefined;
  };
  memo.root("child", child);
  memo.advance(snapshot("a", "switch"), keys("workload/default/switch"));
  assert.equal(memo.root("outer", outer), "a");
  memo.advance(snapshot("switch"), keys("workload/default/a"));
  assert.equal(memo.root("outer", outer), undefined);
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

/** A root that collects, for each member, the service of the workload of its name; `fails` throws. */
function collecting(members: readonly string[], fails = ""): Build<SharedMap<string>> {
  return (scope) =>
    scope.collect("all", members, ({ view }, member) => {
      if (member === fails) throw new Error("not now");
      const service = view.workload(`default/${member}`)?.service;
      return new Map(service === undefined ? [] : [[member, service]]);
    });
}

test("a collection builds again only the members that have changed, and shares the rest", () => {
  const { memo, take } = recorded(["a", "b", "c"]);
  const members = ["a", "b", "c", "d"];
  const before = memo.root("root", collecting(members));
  assert.deepEqual(new Map(before), new Map(["a", "b", "c"].map((name) => [name, name])));
  take();
  memo.advance(snapshot("a", "c", "d"), keys("workload/default/b", "workload/default/d"));
  const after = memo.root("root", collecting(members));
  assert.deepEqual(take(), ["root", "all>b", "all>d"]);
  assert.deepEqual(after.changesSince(before), { set: [["d", "d"]], removed: ["b"] });
});

test("a collection follows its list of members", () => {
  const { memo, take } = recorded(["a", "b", "c"]);
  memo.root("root", collecting(["a", "b"]));
  take();
  memo.advance(snapshot("a", "b", "c"), keys("workload/default/a"));
  const after = memo.root("root", collecting(["b", "c"]));
  assert.deepEqual([...after.keys()].sort(), ["b", "c"]);
  assert.deepEqual(take(), ["root", "all>c"]);
  memo.release("root");
  assert.equal(memo.size, 0);
});

test("a member whose build throws leaves the collection as it was, and is tried again", () => {
  const { memo } = recorded(["a", "b"]);
  const members = ["a", "b", "c"];
  const before = memo.root("root", collecting(members));
  memo.advance(snapshot("b", "c"), keys("workload/default/a", "workload/default/c"));
  assert.throws(() => memo.root("root", collecting(members, "c")), /not now/);
  const after = memo.root("root", collecting(members));
  assert.deepEqual(after.changesSince(before), { set: [["c", "c"]], removed: ["a"] });
});

test("a list of members that could not be built is tried again, although nothing else has changed", () => {
  const { memo } = recorded(["a", "b"]);
  const before = memo.root("root", collecting(["a"]));
  const longer = ["a", "b"];
  assert.throws(() => memo.root("other", collecting(longer, "b")), /not now/);
  const after = memo.root("other", collecting(longer));
  assert.deepEqual(after.changesSince(before), { set: [["b", "b"]], removed: [] });
});

test("a name may move from one member of a collection to another", () => {
  const { memo } = recorded(["a"]);
  const members = ["first", "second"];
  const build: Build<SharedMap<string>> = (scope) =>
    scope.collect("all", members, ({ view }, member) => {
      const owner = view.workload("default/a") === undefined ? "second" : "first";
      return new Map(member === owner ? [["name", member]] : []);
    });
  assert.equal(memo.root("root", build).get("name"), "first");
  memo.advance(snapshot(), keys("workload/default/a"));
  assert.equal(memo.root("root", build).get("name"), "second");
});
