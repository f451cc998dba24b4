import assert from "node:assert/strict";
import { test } from "node:test";
import { normalizePath } from "./path.ts";

/** What Envoy 1.40 passes on with `normalize_path` and `merge_slashes`, measured (docs/differences-from-envoy.md). */
const spellings: Readonly<Record<string, string>> = {
  "/": "/",
  "//": "/",
  "//a///b": "/a/b",
  "/a/../b": "/b",
  "/../../b": "/b",
  "/a/./b/.": "/a/b/",
  "/a/..": "/",
  "/a/%2e%2E/b": "/b",
  "/a/...": "/a/...",
  "/a/..;/b": "/b",
  "/x/..;p=1;q/a": "/a",
  "/x/.;/a": "/x/a",
  "/x/..;": "/",
  "/x/a..;/b": "/x/a..;/b",
  "/x/..%3b/a": "/x/..%3b/a",
  "/a/.a/%2ea": "/a/.a/.a",
  "/%7euser/%41": "/~user/A",
  "/a%2fb%2Fc": "/a%2fb%2Fc",
  "/a%2f..%2fb": "/a%2f..%2fb",
  "/a%5c..%5Cb": "/a%5c..%5Cb",
  "/a%252e": "/a%252e",
  "/%c0%ae%C0%AE": "/%c0%ae%C0%AE",
  "/a;x=1/b": "/a;x=1/b",
  '/a"<>^`{|}': "/a%22%3C%3E%5E%60%7B%7C%7D",
  "/[a]'(b)!$&*+,=:@": "/[a]'(b)!$&*+,=:@",
};

for (const [sent, want] of Object.entries(spellings)) {
  test(`${sent} is the path ${want} for policy and application, as Envoy has it`, () => {
    assert.deepEqual(normalizePath(sent, { normalize: true, mergeSlashes: true, unescapeSlashes: false }), {
      ok: true,
      path: want,
    });
  });
}

test("an escaped dot segment with parameters goes as well, which Envoy leaves", () => {
  const path = normalizePath("/x/%2e%2e;/a", { normalize: true, mergeSlashes: true, unescapeSlashes: false });
  assert.deepEqual(path, { ok: true, path: "/a" });
});

test("a path is as stable as it is normal: doing it again changes nothing", () => {
  for (const path of Object.values(spellings)) {
    assert.deepEqual(normalizePath(path, { normalize: true, mergeSlashes: true, unescapeSlashes: false }), {
      ok: true,
      path,
    });
  }
});

test("without the options a path stays as it came", () => {
  const path = '/a/../b//%41"';
  assert.deepEqual(normalizePath(path, { normalize: false, mergeSlashes: false, unescapeSlashes: false }), {
    ok: true,
    path,
  });
});

for (const path of ["/a%00b", "/a%zzb", "/a%", "/a%4"]) {
  test(`${path} is refused where paths are normalised`, () => {
    assert.equal(
      normalizePath(path, { normalize: true, mergeSlashes: true, unescapeSlashes: false }).ok,
      false,
    );
  });
}
