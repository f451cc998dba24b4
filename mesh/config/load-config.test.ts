import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { MeshError } from "../errors.ts";
import { type ConfigSources, loadConfig } from "./load-config.ts";

const schema = z.strictObject({
  name: z.string().default("mesh"),
  agents: z
    .strictObject({ port: z.number().int().default(15012), advertise: z.array(z.string()).default([]) })
    .prefault({}),
});

const load = (sources: Partial<ConfigSources>): unknown =>
  loadConfig(schema, { environment: {}, flags: {}, prefix: "LATEEN_SERVER", ...sources });

const refusal = (sources: Partial<ConfigSources>): string => {
  try {
    load(sources);
  } catch (error) {
    assert.ok(error instanceof MeshError);
    assert.equal(error.code, "config.invalid");
    return error.message;
  }
  return assert.fail("was accepted");
};

test("without any source the defaults hold", () => {
  assert.deepEqual(load({}), { name: "mesh", agents: { port: 15012, advertise: [] } });
});

test("flags win over the environment, which wins over the file, key by key", () => {
  const loaded = load({
    file: { name: "server.yaml", text: "name: file\nagents: { port: 1, advertise: [a] }" },
    environment: { LATEEN_SERVER_AGENTS_PORT: "2", LATEEN_SERVER_NAME: "environment" },
    flags: { name: "flag", agents: {} },
  });
  assert.deepEqual(loaded, { name: "flag", agents: { port: 2, advertise: ["a"] } });
});

test("a list in the environment is separated by commas", () => {
  const loaded = load({ environment: { LATEEN_SERVER_AGENTS_ADVERTISE: "a:1, b:2" } });
  assert.deepEqual(loaded, { name: "mesh", agents: { port: 15012, advertise: ["a:1", "b:2"] } });
});

test("every violation is told at once, with its path and what was probably meant", () => {
  const message = refusal({ file: { name: "s.yaml", text: "nmae: x\nagents: { prot: 1, port: high }" } });
  assert.match(message, /agents\.port: /);
  assert.match(message, /agents\.prot: there is no such key, did you mean port\?/);
  assert.match(message, /nmae: there is no such key, did you mean name\?/);
});

test("a file that is not YAML, has a key twice, or is a list is refused", () => {
  for (const text of ["a: [", "name: a\nname: b", "- a"]) {
    assert.match(refusal({ file: { name: "server.yaml", text } }), /server\.yaml/);
  }
});

test("a file whose aliases multiply is refused as such", () => {
  const levels = ["b", "c", "d", "e"].map((name, index) => {
    const below = `*${"abcd"[index]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => below).join(", ")}]`;
  });
  const text = ["a: &a [x, x, x]", ...levels].join("\n");
  assert.throws(() => load({ file: { name: "mesh.yaml", text } }), {
    code: "config.invalid",
    message: "read mesh.yaml: its aliases stand for more than a file can hold",
  });
});
