import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "./header-list.ts";

const list = (): HeaderList => HeaderList.fromRaw(["Host", "a", "X-A", "1", "x-b", "2", "x-A", "3"]);

test("names are found in lower case and written as they came", () => {
  const headers = list();
  assert.equal(headers.get("x-a"), "1,3");
  assert.deepEqual(headers.values("x-a"), ["1", "3"]);
  assert.equal(headers.count("x-a"), 2);
  assert.deepEqual(headers.toRaw(), ["Host", "a", "X-A", "1", "x-b", "2", "x-A", "3"]);
  assert.equal(headers.get("x-c"), undefined);
});

test("set replaces all of a name, and delete takes them", () => {
  const headers = list();
  headers.set("x-b", "4");
  headers.set("x-a", "5");
  assert.deepEqual(headers.toRaw(), ["Host", "a", "x-b", "4", "x-a", "5"]);
  headers.delete("x-b");
  headers.delete("x-c");
  assert.deepEqual(headers.toRaw(), ["Host", "a", "x-a", "5"]);
});

test("a copy is another list", () => {
  const headers = list();
  const copy = headers.clone();
  copy.keep((name) => name === "host");
  assert.equal(copy.length, 1);
  assert.equal(headers.length, 4);
});

test("no value ends the line", () => {
  const headers = new HeaderList();
  for (const value of ["a\r\nx-b: c", "a\nb", "a\0", "\u010a", "\x7f"]) {
    assert.throws(() => headers.append("x-a", value));
    assert.throws(() => headers.set("x-a", value));
  }
  headers.append("x-a", "\tä ");
  assert.equal(headers.length, 1);
});
