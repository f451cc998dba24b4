import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { askAdmin } from "../../agent/dataplane/admin-client.ts";
import { VERSION } from "../../mesh/version.ts";
import { eventually } from "../harness/eventually.ts";

const run = promisify(execFile);
let folder: string;
let lateen: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "lateen-bundle-"));
  await run(process.execPath, ["setup/bundle.ts", join(folder, "dist")]);
  lateen = join(folder, "dist", "cli", "lateen.js");
});

after(() => rm(folder, { recursive: true, force: true }));

/** Away from the sources, so that nothing of them can be found. */
const call = async (...argv: string[]): Promise<string> =>
  (await run(process.execPath, [lateen, ...argv], { cwd: folder })).stdout;

test("what is shipped is a whole program", async () => {
  assert.match(await call("version"), new RegExp(VERSION.replaceAll(".", "\\.")));
  for (const command of ["server", "agent", "proxy", "validate"])
    assert.match(await call(command, "--help"), new RegExp(`^Usage: lateen ${command}`), command);
});

test("it reads YAML, translates it, and says what is wrong with it", async () => {
  const file = join(folder, "bad.yaml");
  await writeFile(
    file,
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { hosts: [] }\n",
  );
  await assert.rejects(call("validate", "-f", file), ({ stdout }: { readonly stdout: string }) =>
    stdout.includes("must have an http, tls or tcp route"),
  );
});

test("its proxy runs, with a thread and with several, and answers at its admin socket", async () => {
  for (const concurrency of ["1", "2"]) await proxyAnswers(concurrency);
});

async function proxyAnswers(concurrency: string): Promise<void> {
  const adminSocket = join(folder, `admin-${concurrency}.sock`);
  const bootstrap = join(folder, `bootstrap-${concurrency}.json`);
  const node = { id: "sidecar~127.0.0.1~a.default~x", cluster: "a.default" };
  await writeFile(bootstrap, JSON.stringify({ node, adminSocket, xdsSocket: join(folder, "none.sock") }));
  const argv = [lateen, "proxy", "--concurrency", concurrency, "--bootstrap", bootstrap];
  const proxy = spawn(process.execPath, argv, { stdio: "ignore" });
  try {
    // Of a worker's, so that one has to be there.
    await eventually(
      "it answers",
      async () =>
        (await askAdmin(adminSocket, "/config_dump").catch(() => undefined))?.body.includes(node.id),
      15_000,
    );
  } finally {
    proxy.kill();
  }
}

test("the licenses of what is in it come with it", async () => {
  const licenses = await readFile(join(folder, "dist", "LICENSES.txt"), "utf8");
  for (const name of ["@grpc/grpc-js", "zod", "node-forge", "pino"]) assert.ok(licenses.includes(name), name);
});
