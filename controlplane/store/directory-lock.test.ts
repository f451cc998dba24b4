import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lockDirectory } from "./directory-lock.ts";

function stateDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-lock-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("of two servers on one state directory the second is refused, until the first has gone", (t) => {
  const directory = stateDirectory(t);
  const first = lockDirectory(directory);
  assert.throws(() => lockDirectory(directory), { code: "config.invalid", hint: /stateDir/ });
  first[Symbol.dispose]();
  lockDirectory(directory)[Symbol.dispose]();
  assert.equal(statSync(join(directory, "server.lock")).mode & 0o777, 0o600);
});

test("a server that is killed leaves no lock behind", async (t) => {
  const directory = stateDirectory(t);
  const module = join(import.meta.dirname, "directory-lock.ts");
  const holder = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { lockDirectory } from ${JSON.stringify(module)};
       globalThis.held = lockDirectory(${JSON.stringify(directory)});
       process.stdout.write("held\\n");
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(holder.stdout, "data");
  assert.throws(() => lockDirectory(directory), { message: /another server runs on it/ });
  const gone = once(holder, "exit");
  holder.kill("SIGKILL");
  await gone;
  lockDirectory(directory)[Symbol.dispose]();
});
