#!/usr/bin/env node
// Plain JavaScript on purpose: it must run on any Node from 20 on, to find the one that runs the rest.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NEEDED = [24, 14, 1];
const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));

// Taken before anything is loaded: on SIGUSR1 Node would open its inspector.
process.on("SIGUSR1", () => {});

if (isRecentEnough(process.versions.node)) {
  await start();
} else {
  const node = join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (!existsSync(node) || realpathSync(node) === realpathSync(process.execPath)) refuse(node);
  else reexecute(node);
}

function isRecentEnough(version) {
  const parts = version.split(".").map(Number);
  for (const [index, needed] of NEEDED.entries()) {
    if (parts[index] !== needed) return parts[index] > needed;
  }
  return true;
}

async function start() {
  const { enableCompileCache } = await import("node:module");
  // Beside the code, where whoever may write it may also write the code; /tmp belongs to everybody.
  if (!process.env.NODE_COMPILE_CACHE) enableCompileCache(join(root, "node_modules", ".cache", "lateen"));
  await import("./main.ts");
}

function reexecute(node) {
  const args = [self, ...process.argv.slice(2)];
  if (process.execve) process.execve(node, [node, ...args], process.env);
  // A session of its own: a terminal's Ctrl-C then reaches this process alone, which passes it on once. Reaching both,
  // it would count as the second one, which ends the program without draining.
  const child = spawn(node, args, { stdio: "inherit", detached: true });
  const passed = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGWINCH"];
  for (const name of passed) process.on(name, () => child.kill(name));
  child.once("error", (error) => {
    process.stderr.write(`error: start ${node}: ${error.message}\ntry: npm ci in ${root}\n`);
    process.exit(2);
  });
  child.once("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of passed) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000);
  });
}

function refuse(node) {
  process.stderr.write(
    `error: lateen needs Node ${NEEDED.join(".")} or newer, this is ${process.versions.node}\n` +
      `the Node that comes with it is not at ${node}\ntry: npm ci in ${root}\n`,
  );
  process.exit(2);
}
