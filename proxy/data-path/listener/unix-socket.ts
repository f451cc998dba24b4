import { lstat, rename, rm } from "node:fs/promises";
import { connect, type Server } from "node:net";

/**
 * Listens at the path of a unix socket (`@name` is abstract), in place of a file that a former process has left there.
 * Rejects as `listen` does.
 */
export async function listenAtPath(server: Server, path: string): Promise<void> {
  if (path.startsWith("@")) {
    await listening(server, pathOf(path));
    return;
  }
  if (await isTaken(path)) throw Object.assign(new Error("address already in use"), { code: "EADDRINUSE" });
  // Node removes what it has bound when it closes it, under the name that it knows: the file must outlast a hand-over.
  const made = `${path}~`;
  await rm(made, { force: true });
  await listening(server, made);
  await rename(made, path);
}

/** Whether somebody takes connections there. */
export async function isServed(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ path: pathOf(path) });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!/ECONNREFUSED|ENOENT/.test(String(codeOf(error)))));
  });
}

/** Removes the file of a socket that nobody serves any more. */
export async function removePath(path: string): Promise<void> {
  if (!path.startsWith("@")) await rm(path, { force: true });
}

/** By somebody who serves it, or by a file that is no socket. */
async function isTaken(path: string): Promise<boolean> {
  const file = await lstat(path).catch(() => undefined);
  return file !== undefined && (!file.isSocket() || (await isServed(path)));
}

async function listening(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, backlog: 1024 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function pathOf(path: string): string {
  return path.replace(/^@/, "\0");
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
