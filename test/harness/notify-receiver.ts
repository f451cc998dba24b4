import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/** Prints each datagram that arrives, as JSON: Node itself has no unix datagram sockets. */
const RECEIVER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind("\\0" + path[1:] if path.startswith("@") else path)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(s.recv(4096).decode()), flush=True)
`;

/** Stands for systemd at its notify socket; each call waits for the next datagram. */
export async function receiveNotices(t: TestContext, path: string): Promise<() => Promise<string>> {
  const child = spawn("python3", ["-c", RECEIVER, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => JSON.parse((await lines.next()).value ?? '"nothing"') as string;
  assert.equal(await next(), "bound");
  return next;
}

/** A path for such a socket. */
export async function notifySocket(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-notify-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "notify.sock");
}
