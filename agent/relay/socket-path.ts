import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { ensurePrivateDir } from "../state/private-files.ts";

/** `sun_path` has 108 bytes, the last of them a zero (unix(7)). */
const LONGEST_PATH_BYTES = 107;

/**
 * Makes the place for a socket, without what a killed agent left there: a directory for this user alone, unless others are
 * to reach it.
 */
export async function prepareSocketPath(
  path: string,
  directory: "private" | "shared" = "private",
): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
    throw new MeshError("config.invalid", `listen on ${path}: longer than ${LONGEST_PATH_BYTES} bytes`, {
      hint: "choose a shorter runDir",
    });
  }
  if (directory === "private") await ensurePrivateDir(dirname(path));
  else await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const existing = await lstat(path).catch(() => undefined);
  if (existing === undefined) return;
  if (!existing.isSocket()) {
    throw new MeshError("agent.state", `listen on ${path}: there is something that is not a socket`);
  }
  if (await answers(path)) {
    throw new MeshError("agent.state", `listen on ${path}: another agent is listening there`, {
      hint: "stop it first, or give this one a runDir of its own",
    });
  }
  await rm(path, { force: true });
}

/** grpc-js makes sockets that everyone may connect to; the directory is the first lock, this the second. */
export async function protectSocket(path: string): Promise<void> {
  await chmod(path, 0o600);
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
