import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

type Versions = Readonly<Record<string, string>>;

interface Package {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Package;
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<Record<string, Package>>;
};
const groups = ["dependencies", "devDependencies", "optionalDependencies"] as const;

test("the lockfile is of this package.json", () => {
  for (const group of groups) assert.deepEqual(lock.packages[""]?.[group], manifest[group], group);
});

test("every dependency is pinned exactly, and the lockfile has that version", () => {
  for (const [name, version] of groups.flatMap((group) => Object.entries(manifest[group] ?? {}))) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test("each locked package has its integrity, and no download address", () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
  assert.ok(packages.length > 100);
  for (const [path, { integrity, resolved }] of packages) {
    assert.match(integrity ?? "", /^sha512-/, path);
    assert.equal(resolved, undefined, path);
  }
});
