import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { loadAgentConfig } from "../agent/config.ts";
import { loadServerConfig } from "../controlplane/config.ts";

/** Every key with a value, as a path; lists and scalars are leaves. */
function leaves(tree: object, prefix = ""): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(tree)) {
    const path = `${prefix}${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [inner, leaf] of leaves(value, `${path}.`)) found.set(inner, leaf);
    } else found.set(path, value);
  }
  return found;
}

/** Key and default of each row of one section of docs/config.md; `–` is "no default". */
function documented(section: string): ReadonlyMap<string, string> {
  const page = readFileSync("docs/config.md", "utf8");
  const text = page.slice(page.indexOf(`## ${section}`)).split(/\n## /, 1)[0] ?? "";
  return new Map(
    [...text.matchAll(/^\| `([A-Za-z0-9.]+)` \| (.*?) \|/gm)].map(([, key, value]) => [
      key ?? "",
      value ?? "",
    ]),
  );
}

const print = (value: unknown): string =>
  Array.isArray(value) || value === "" ? JSON.stringify(value) : String(value);

test("docs/config.md has each key of server.yaml with its default", () => {
  const defaults = leaves(loadServerConfig({ environment: {}, flags: { consul: {}, nomad: {} } }));
  const rows = documented("server.yaml");
  const withDefault = [...rows].filter(([, value]) => value !== "–");
  assert.deepEqual(withDefault.map(([key]) => key).sort(), [...defaults.keys()].sort());
  for (const [key, value] of withDefault) assert.equal(value, `\`${print(defaults.get(key))}\``, key);
});

test("docs/config.md has each key of agent.yaml with its default", () => {
  const defaults = leaves(loadAgentConfig({ environment: {}, flags: {} }));
  const rows = documented("agent.yaml");
  const withDefault = [...rows].filter(([, value]) => value !== "–");
  assert.deepEqual(withDefault.map(([key]) => key).sort(), [...defaults.keys()].sort());
  for (const [key, value] of withDefault) {
    if (key !== "nodeName") assert.equal(value, `\`${print(defaults.get(key))}\``, key);
  }
});

test("each key of docs/config.md is one that the programs take", () => {
  for (const [key, value] of documented("server.yaml")) {
    if (value !== "–") continue;
    const flags = key.split(".").reduceRight<unknown>((inner, part) => ({ [part]: inner }), "x") as object;
    try {
      loadServerConfig({ environment: {}, flags: { ...flags } });
    } catch (error) {
      // Some keys do not come alone, or want another value; one that does not exist is told by name.
      assert.doesNotMatch(String(error), /there is no such key/, key);
    }
  }
  for (const [key, value] of documented("agent.yaml")) {
    if (value !== "–") continue;
    const [first = "", second] = key.split(".");
    const flags = { [first]: second === undefined ? "127.0.0.1" : { [second]: "x" } };
    try {
      loadAgentConfig({ environment: {}, flags });
    } catch (error) {
      assert.doesNotMatch(String(error), /there is no such key/, key);
    }
  }
});
