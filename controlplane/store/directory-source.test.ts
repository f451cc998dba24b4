import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MeshError } from "../../mesh/errors.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { MemoryConfigStore } from "../../test/fakes/memory-config-store.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { API, keyFor, policyObject } from "./config-store.contract.ts";
import { DirectorySource } from "./directory-source.ts";

class Setup {
  readonly directory: string;
  readonly store: MemoryConfigStore;
  now = 1000;
  source: DirectorySource;

  constructor(t: TestContext) {
    const parent = mkdtempSync(join(tmpdir(), "lateen-directory-"));
    t.after(() => rmSync(parent, { recursive: true, force: true }));
    this.directory = join(parent, "lateen.d");
    mkdirSync(this.directory);
    this.store = new MemoryConfigStore({ now: () => this.now });
    this.source = this.open();
  }

  /** A source that remembers nothing, as after a restart. */
  open(): DirectorySource {
    this.source = new DirectorySource({
      directory: this.directory,
      store: this.store,
      clock: { ...systemClock, now: () => this.now },
      logger: silentLogger,
      defaultNamespace: "default",
      rootNamespace: "istio-system",
      rescanMs: 60_000,
      debounceMs: 5,
    });
    return this.source;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, ...policies: readonly (readonly [name: string, mode: string])[]): void {
    const objects = policies.map(([policy, mode]) => JSON.stringify(policyObject(policy, mode).written));
    writeFileSync(this.path(name), objects.join("\n---\n"));
  }

  /** `name=mode` of each stored object. */
  stored(): readonly string[] {
    return this.store
      .list()
      .map(({ metadata, written }) => `${metadata.name}=${JSON.stringify(written["spec"]).split('"').at(-2)}`)
      .sort();
  }

  reason(name: string): string {
    const { status } = this.source;
    if (status.state === "starting") return "starting";
    const file = status.files.get(this.path(name));
    return file?.state === "refused" ? file.reason : (file?.state ?? "unknown");
  }
}

test("the files of a directory are loaded, each the owner of its objects; others are left alone", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"], ["b", "DISABLE"]);
  setup.write("c.json", ["c", "STRICT"]);
  writeFileSync(setup.path("notes.txt"), "not: [yaml");
  writeFileSync(setup.path(".a.yaml.swp"), "not: [yaml");
  assert.deepEqual(setup.source.status, { state: "starting" });
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT", "b=DISABLE", "c=STRICT"]);
  assert.equal(setup.store.get(keyFor("a"))?.origin, setup.path("a.yaml"));
  const { status } = setup.source;
  assert.equal(status.state, "current");
  assert.deepEqual(status.state === "current" && [...status.files.keys()], [
    setup.path("a.yaml"),
    setup.path("c.json"),
  ]);
});

test("a changed file is applied, and takes back what it no longer has", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"], ["b", "STRICT"]);
  await setup.source.scan();
  setup.now = 2000;
  setup.write("a.yaml", ["a", "DISABLE"], ["c", "STRICT"]);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=DISABLE", "c=STRICT"]);
  assert.equal(setup.store.get(keyFor("a"))?.createdAt, 1000);
});

test("a scan without a change changes nothing", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  await setup.source.scan();
  await setup.open().scan();
  assert.equal(setup.store.revision, 1);
});

test("a file with any error keeps its last good version, and the status tells why and where", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  setup.write("b.yaml", ["b", "STRICT"]);
  await setup.source.scan();
  setup.write("b.yaml", ["b", "DISABLE"]);
  writeFileSync(
    setup.path("a.yaml"),
    `${JSON.stringify(policyObject("a", "DISABLE").written)}\n---\nkind: PeerAuthentication\n`,
  );
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT", "b=DISABLE"]);
  assert.equal(setup.reason("a.yaml"), "it has 2 errors");
  const { status } = setup.source;
  const file = status.state === "current" ? status.files.get(setup.path("a.yaml")) : undefined;
  assert.deepEqual(file?.state === "refused" && file.violations.map(({ line, path }) => [line, path]), [
    [3, "apiVersion"],
    [3, "metadata"],
  ]);

  await setup.open().scan();
  assert.deepEqual(setup.stored(), ["a=STRICT", "b=DISABLE"]);
  setup.write("a.yaml", ["a", "DISABLE"]);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=DISABLE", "b=DISABLE"]);
  assert.equal(setup.reason("a.yaml"), "applied");
});

test("a file that is gone takes its objects along, also while the server was down", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  setup.write("b.yaml", ["b", "STRICT"]);
  setup.write("c.yaml", ["c", "STRICT"]);
  await setup.source.scan();
  rmSync(setup.path("a.yaml"));
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["b=STRICT", "c=STRICT"]);
  rmSync(setup.path("b.yaml"));
  await setup.open().scan();
  assert.deepEqual(setup.stored(), ["c=STRICT"]);
  rmSync(setup.path("c.yaml"));
  await setup.source.scan();
  assert.deepEqual(setup.stored(), []);
});

test("a file that is suddenly empty keeps its objects", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  for (const text of ["", "# all commented out\n"]) {
    writeFileSync(setup.path("a.yaml"), text);
    await setup.source.scan();
    assert.deepEqual(setup.stored(), ["a=STRICT"]);
    assert.match(setup.reason("a.yaml"), /empty all of a sudden/);
  }
  writeFileSync(setup.path("new.yaml"), "# nothing yet\n");
  await setup.source.scan();
  assert.equal(setup.reason("new.yaml"), "applied");
});

test("a directory that is gone, or cannot be read, deletes nothing and is taken up again", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  renameSync(setup.directory, `${setup.directory}.away`);
  setup.now = 2000;
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
  const { status } = setup.source;
  assert.ok(status.state === "unreadable" && status.since === 2000);
  assert.match(status.reason, /ENOENT/);

  writeFileSync(setup.directory, "a file in its place");
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
  rmSync(setup.directory);

  renameSync(`${setup.directory}.away`, setup.directory);
  setup.write("a.yaml", ["a", "DISABLE"]);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=DISABLE"]);
  assert.equal(setup.source.status.state, "current");
});

test("an empty directory in the place of the old one, like a lost mount, deletes nothing", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  renameSync(setup.directory, `${setup.directory}.away`);
  mkdirSync(setup.directory);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
  assert.equal(setup.source.status.state, "unreadable");
  await setup.open().scan();
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
  writeFileSync(setup.path(".keep"), "");
  await setup.source.scan();
  assert.deepEqual(setup.stored(), []);
});

test("what cannot be read as a file keeps what it said before", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  rmSync(setup.path("a.yaml"));
  mkdirSync(setup.path("a.yaml"));
  await setup.source.scan();
  assert.equal(setup.reason("a.yaml"), "is not a regular file");
  rmSync(setup.path("a.yaml"), { recursive: true });
  writeFileSync(setup.path("a.yaml"), `# ${"x".repeat(1024 * 1024)}`);
  await setup.source.scan();
  assert.equal(setup.reason("a.yaml"), "is larger than 1024 KiB");
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
});

test("a file without permission keeps what it said before", {
  skip: process.getuid?.() === 0 && "root reads all",
}, async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  setup.write("a.yaml", ["a", "DISABLE"]);
  chmodSync(setup.path("a.yaml"), 0);
  await setup.source.scan();
  assert.match(setup.reason("a.yaml"), /EACCES/);
  assert.deepEqual(setup.stored(), ["a=STRICT"]);
});

test("an object that moves to another file, or whose file is renamed, keeps its creation time", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"], ["b", "STRICT"]);
  await setup.source.scan();
  setup.now = 2000;
  setup.write("a.yaml", ["a", "STRICT"]);
  setup.write("z.yaml", ["b", "STRICT"]);
  await setup.source.scan();
  assert.equal(setup.store.get(keyFor("b"))?.origin, setup.path("z.yaml"));
  assert.equal(setup.store.get(keyFor("b"))?.createdAt, 1000);
  renameSync(setup.path("a.yaml"), setup.path("y.yaml"));
  await setup.source.scan();
  assert.equal(setup.store.get(keyFor("a"))?.origin, setup.path("y.yaml"));
  assert.equal(setup.store.get(keyFor("a"))?.createdAt, 1000);
  assert.deepEqual(setup.stored(), ["a=STRICT", "b=STRICT"]);
});

test("an object that another file or the API has is refused until that one gives it up", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  setup.store.apply([policyObject("b", "STRICT")], API);
  await setup.source.scan();
  setup.write("0.yaml", ["a", "DISABLE"]);
  setup.write("b.yaml", ["b", "DISABLE"]);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT", "b=STRICT"]);
  assert.match(setup.reason("0.yaml"), /belongs to file .*a\.yaml/);
  assert.match(setup.reason("b.yaml"), /belongs to the API/);

  rmSync(setup.path("a.yaml"));
  setup.store.delete(keyFor("b"), API);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=DISABLE", "b=DISABLE"]);
});

test("run sees changes as they happen, also in a directory that comes late, and returns on abort", async (t) => {
  const setup = new Setup(t);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const running = setup.source.run(stop.signal);
  await eventually("it was read", () => setup.source.status.state === "current");
  setup.write("a.yaml", ["a", "STRICT"]);
  await eventually("stored: a=STRICT", () => setup.stored().join() === "a=STRICT");
  setup.write("a.yaml", ["a", "DISABLE"]);
  await eventually("stored: a=DISABLE", () => setup.stored().join() === "a=DISABLE");
  rmSync(setup.path("a.yaml"));
  await eventually("stored: nothing", () => setup.stored().length === 0);
  stop.abort();
  await running;
});

test("without notifications the slow re-scan finds the directory", async (t) => {
  const setup = new Setup(t);
  const missing = join(setup.directory, "later");
  const source = new DirectorySource({
    directory: missing,
    store: setup.store,
    clock: systemClock,
    logger: silentLogger,
    defaultNamespace: "default",
    rootNamespace: "istio-system",
    rescanMs: 5,
    debounceMs: 1,
  });
  const stop = new AbortController();
  t.after(() => stop.abort());
  const running = source.run(stop.signal);
  await eventually("it was looked for", () => source.status.state === "unreadable");
  mkdirSync(missing);
  setup.write("later/a.yaml", ["a", "STRICT"]);
  await eventually("stored: a=STRICT", () => setup.stored().join() === "a=STRICT");
  stop.abort();
  await running;
});

test("a file that a guard of the store refuses keeps its last good version, and the status tells why and what to do", async (t) => {
  const setup = new Setup(t);
  setup.write("a.yaml", ["a", "STRICT"]);
  await setup.source.scan();
  const { signal } = new AbortController();
  setup.store.guard((changes) => {
    if (changes.length > 1) throw new MeshError("mesh.too-large", "too many", { hint: "name fewer" });
  }, signal);
  setup.write("a.yaml", ["a", "DISABLE"], ["b", "STRICT"]);
  setup.write("c.yaml", ["c", "STRICT"]);
  await setup.source.scan();
  assert.deepEqual(setup.stored(), ["a=STRICT", "c=STRICT"]);
  assert.equal(setup.reason("a.yaml"), "too many: name fewer");
});
