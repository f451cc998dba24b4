import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { VERSION } from "../mesh/version.ts";
import { interruption } from "./signals.ts";

const LATEEN = join(import.meta.dirname, "lateen.js");
const NODE_20 = oldNode();
const noOldNode = NODE_20 === undefined ? "there is no Node older than 24 outside node_modules" : false;

/** The machine's own Node, if it is one that the launcher must replace. */
function oldNode(): string | undefined {
  const places = (process.env["PATH"] ?? "").split(":").map((place) => join(place, "node"));
  return [...places, "/usr/bin/node", "/usr/local/bin/node"].find((path) => {
    if (!existsSync(path) || realpathSync(path).includes("node_modules")) return false;
    const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    return Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
  });
}

/** A server that takes a request and never answers, so that a command waits. */
async function silentServer(
  t: TestContext,
): Promise<{ readonly address: string; readonly asked: Promise<unknown> }> {
  const directory = mkdtempSync(join(tmpdir(), "lateen-launcher-"));
  const path = join(directory, "s.sock");
  const server = createServer(() => {});
  const asked = once(server, "request");
  server.listen(path);
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  return { address: `unix://${path}`, asked };
}

function start(
  t: TestContext,
  node: string,
  argv: readonly string[],
  environment: object = {},
): ChildProcess {
  const child = spawn(node, [LATEEN, ...argv], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

test("under an old Node the one that comes with the package runs the program", { skip: noOldNode }, () => {
  const { status, stdout } = spawnSync(NODE_20 ?? "", [LATEEN, "version", "--client"], { encoding: "utf8" });
  assert.match(stdout, new RegExp(`^client: ${VERSION.replaceAll(".", "\\.")} \\(Node v24\\.`));
  assert.equal(status, 0);
});

test("the exit code passes through the launcher", { skip: noOldNode }, () => {
  const { status, stderr } = spawnSync(NODE_20 ?? "", [LATEEN, "aply"], { encoding: "utf8" });
  assert.equal(status, 64);
  assert.match(stderr, /did you mean apply\?/);
});

for (const [name, node, skip] of [
  ["under an old Node", NODE_20 ?? "", noOldNode],
  ["under this Node", process.execPath, false],
] as const) {
  test(`SIGUSR1 opens no inspector and SIGTERM ends the program in order, ${name}`, { skip }, async (t) => {
    const server = await silentServer(t);
    const child = start(t, node, ["ps"], { LATEEN_ADDR: server.address });
    assert.ok(child.stderr);
    const said = text(child.stderr);
    await server.asked;
    child.kill("SIGUSR1");
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    assert.equal(code, 130);
    assert.equal(await said, "");
  });
}

test("a death by signal is passed on as one", { skip: noOldNode }, async (t) => {
  const server = await silentServer(t);
  const child = start(t, NODE_20 ?? "", ["ps"], { LATEEN_ADDR: server.address });
  await server.asked;
  child.kill("SIGUSR2");
  const [code, signal] = await once(child, "exit");
  assert.deepEqual([code, signal], [null, "SIGUSR2"]);
});

test("without a Node to run on, what is missing is said", { skip: noOldNode }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "lateen-bare-"));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "cli"));
  cpSync(LATEEN, join(directory, "cli", "lateen.js"));
  cpSync(join(import.meta.dirname, "../package.json"), join(directory, "package.json"));
  const { status, stderr } = spawnSync(NODE_20 ?? "", [join(directory, "cli", "lateen.js")], {
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^error: lateen needs Node 24\.14\.1 or newer, this is \d+\.\d+\.\d+\n.*node_modules\/node-linux-/,
  );
  assert.match(stderr, new RegExp(`^try: npm ci in ${directory}$`, "m"));
});

test("the first signal asks, the second ends at once with 128 and its number", () => {
  const exits: number[] = [];
  const source = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const signal = interruption(source);
  source.emit("SIGUSR1");
  assert.equal(signal.aborted, false);
  source.emit("SIGTERM");
  assert.deepEqual([signal.aborted, exits], [true, []]);
  source.emit("SIGINT");
  assert.deepEqual(exits, [130]);
});

test("closing the terminal ends the program in order", () => {
  const source = Object.assign(new EventEmitter(), { exit: () => {} });
  const signal = interruption(source);
  source.emit("SIGHUP");
  assert.equal(signal.aborted, true);
});

test("a long answer reaches a pipe whole before the program ends", { timeout: 20_000 }, async (t) => {
  const child = start(t, process.execPath, ["validate", "-f", "-", "-o", "json"]);
  assert.ok(child.stdin && child.stdout);
  const documents = Array.from(
    { length: 1000 },
    (_, i) => `apiVersion: v1\nkind: Nothing\nmetadata: {name: x${i}}\n`,
  );
  child.stdin.end(documents.join("---\n"));
  const exited = once(child, "exit");
  const answer = JSON.parse(await text(child.stdout)) as { readonly items: readonly unknown[] };
  assert.equal(answer.items.length, documents.length);
  assert.deepEqual(await exited, [65, null]);
});

test("an interrupted wait for standard input ends too", { timeout: 20_000 }, async (t) => {
  const child = start(t, process.execPath, ["apply", "-f", "-"]);
  assert.ok(child.stdin && child.stdout);
  // There is nothing to see from outside while it reads; SIGTERM before its handler is there ends it as a signal does.
  await new Promise((resolve) => child.stdin?.write("apiVersion: v1\n", resolve));
  child.kill("SIGTERM");
  const [code, signal] = await once(child, "exit");
  assert.ok(code === 130 || signal === "SIGTERM", `${code} ${signal}`);
});
