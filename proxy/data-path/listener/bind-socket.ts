import { unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { Listener } from "../../model/listener.ts";
import { portHolder } from "./port-holder.ts";

type Place = Pick<Listener, "address" | "port">;

/** Listens on a port or a unix socket, in place of a file that a former process has left there. Rejects as `listen` does. */
export async function bindSocket(server: Server, place: Place): Promise<void> {
  try {
    await listening(server, place);
  } catch (error) {
    const { address, port } = place;
    const isFile = port === 0 && address.startsWith("/");
    if (!isFile || codeOf(error) !== "EADDRINUSE" || (await isServed(address))) throw error;
    await unlink(address);
    await listening(server, place);
  }
}

async function listening(server: Server, { address, port }: Place): Promise<void> {
  const at = port === 0 ? { path: address.replace(/^@/, "\0") } : { host: address, port };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...at, backlog: 1024 }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether somebody takes connections at the path of a unix socket. */
async function isServed(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

/** With who holds the port, when it can be seen. */
export function bindError({ address, port }: Place, cause: unknown): MeshError {
  const what = `bind ${port === 0 ? address : `${address}:${port}`}`;
  if (codeOf(cause) !== "EADDRINUSE")
    return new MeshError("proxy.bind", `${what}: ${messageOf(cause)}`, { cause });
  const holder = port === 0 ? undefined : portHolder(address, port);
  const it = port === 0 ? "the socket" : "the port";
  return new MeshError("proxy.bind", `${what}: ${it} is in use${holder ? ` by ${holder}` : ""}`, {
    hint: "stop the program that holds it, or register the service at another port",
    cause,
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
