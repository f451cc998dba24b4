import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { COMMANDS } from "../commands.ts";
import { commandTree } from "../reference/command-tree.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const commands = await commandTree();

/** What bash offers at the end of a line: the last word is the one that is being written. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${bashCompletion(commands)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lateen; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" });
  return said.split("\n").filter((line) => line !== "");
}

suite("bash completes", () => {
  test("commands and their other names", () => {
    assert.deepEqual(offered("lateen", "proxy-s"), ["proxy-status"]);
    const all = offered("lateen", "");
    for (const { name, aliases } of COMMANDS)
      for (const word of [name, ...aliases]) assert.ok(all.includes(word), word);
  });

  test("subcommands", () => {
    assert.deepEqual(offered("lateen", "ca", "pre"), ["prepare"]);
    assert.deepEqual(offered("lateen", "service", "a"), ["add"]);
  });

  test("the options of the command that the words before have come to, also by its other name", () => {
    assert.deepEqual(offered("lateen", "join", "--node"), ["--node-name"]);
    assert.deepEqual(offered("lateen", "ca", "prepare", "--wa"), ["--walk"]);
    assert.deepEqual(offered("lateen", "ps", "--outp"), ["--output"]);
    assert.deepEqual(offered("lateen", "join", "--walk"), []);
  });

  test("an option's choices, and no word where its value is anything", () => {
    assert.deepEqual(offered("lateen", "join", "--discovery", ""), ["consul", "file", "none"]);
    assert.deepEqual(offered("lateen", "join", "--state-dir", "a"), []);
  });

  test("an argument's choices", () => {
    assert.deepEqual(offered("lateen", "completion", "f"), ["fish"]);
  });
});

for (const [shell, script, check] of [
  ["zsh", zshCompletion(commands), ["-n"]],
  ["fish", fishCompletion(commands), ["--no-execute"]],
] as const) {
  const isHere = spawnSync(shell, ["--version"]).status === 0;
  // `make check-packages` has both.
  test(`${shell} reads its script`, { skip: !isHere && `no ${shell} here` }, () => {
    const path = join(mkdtempSync(join(tmpdir(), "lateen-completion-")), "script");
    writeFileSync(path, script);
    execFileSync(shell, [...check, path], { stdio: "ignore" });
    rmSync(dirname(path), { recursive: true });
  });
}
