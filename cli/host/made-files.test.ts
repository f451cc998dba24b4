import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MadeFiles } from "./made-files.ts";

const root = mkdtempSync(join(tmpdir(), "lateen-made-"));
after(() => rmSync(root, { recursive: true }));

const isAgents = (name: string): boolean => name === "identity";
const modeOf = (path: string): number => statSync(path).mode & 0o777;

test("what was made goes, with the record of it, and nothing else", () => {
  const config = join(root, "etc", "lateen.d");
  const state = join(root, "var", "lib", "lateen", "agent");
  const made = MadeFiles.of(config);
  made.directory(config, 0o750);
  made.directory(state, 0o700);
  made.writing(join(config, "agent.yaml"), () => writeFileSync(join(config, "agent.yaml"), ""));
  mkdirSync(join(state, "identity"));
  // Its user has to get to it through those above, which are root's.
  assert.deepEqual([modeOf(config), modeOf(state), modeOf(join(state, ".."))], [0o750, 0o700, 0o755]);

  const again = MadeFiles.of(config);
  again.removeFiles([{ path: state, isAgents }]);
  again.removeDirectories();
  assert.deepEqual(readdirSync(root), []);
});

test("a directory that was there before loses what is the agent's alone", () => {
  const config = join(root, "config");
  const run = join(root, "run");
  mkdirSync(join(run, "server"), { recursive: true });
  mkdirSync(join(run, "identity"));
  writeFileSync(join(run, "server", "admin.sock"), "");
  const made = MadeFiles.of(config);
  made.directory(config, 0o750);
  made.directory(run, 0o700);

  const again = MadeFiles.of(config);
  const said = [...again.removeFiles([{ path: run, isAgents }]), ...again.removeDirectories()];
  assert.ok(existsSync(join(run, "server", "admin.sock")));
  assert.deepEqual(readdirSync(run), ["server"]);
  assert.match(said.join("\n"), /removed identity from .*run, which was there before/);
});

test("without a record nothing of anybody is removed", () => {
  const state = join(root, "state");
  mkdirSync(join(state, "theirs"), { recursive: true });
  const none = MadeFiles.of(join(root, "none"));
  none.removeFiles([{ path: state, isAgents }]);
  none.removeDirectories();
  assert.deepEqual(readdirSync(state), ["theirs"]);
});

test("a file that could not be written is nobody's work: whoever writes it later keeps it", () => {
  const config = join(root, "full");
  const path = join(config, "agent.yaml");
  const made = MadeFiles.of(config);
  made.directory(config, 0o750);
  const full = (): never => {
    throw new Error("ENOSPC: no space left on device");
  };
  assert.throws(() => made.writing(path, full), /ENOSPC/);
  writeFileSync(path, "theirs");
  assert.deepEqual(MadeFiles.of(config).removeFiles([]), []);
  assert.ok(existsSync(path));
});
