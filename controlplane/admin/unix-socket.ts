import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { MeshError } from "../../mesh/errors.ts";

/** Longest path that the kernel takes for a unix socket (sockaddr_un), without its final zero byte. */
const LONGEST_PATH_BYTES = 107;

/**
 * Makes a place for a unix socket that only its owner can reach: its directory exists with mode 0700, and what a
 * killed server left at the path is gone. A directory that others may enter is refused, not changed.
 */
export async function prepareSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
    throw new MeshError(
      "config.invalid",
      `the socket path ${path} is longer than ${LONGEST_PATH_BYTES} bytes`,
      {
        hint: "choose a shorter run directory",
      },
    );
  }
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if ((statSync(directory).mode & 0o077) !== 0) {
    throw new MeshError("config.invalid", `others may enter ${directory}, where the admin socket would be`, {
      hint: `chmod 700 ${directory}, or choose another run directory`,
    });
  }
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing === undefined) return;
  if (!existing.isSocket()) throw new MeshError("config.invalid", `${path} exists and is not a socket`);
  if (await answers(path)) {
    throw new MeshError("config.invalid", `another server is listening on ${path}`, {
      hint: "stop it first, or give this one a run directory of its own",
    });
  }
  rmSync(path);
}

/** The directory keeps others out; the mode of the socket itself is the second lock. */
export function protectSocket(path: string): void {
  chmodSync(path, 0o600);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
