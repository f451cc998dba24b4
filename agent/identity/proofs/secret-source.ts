import { readFile } from "node:fs/promises";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

/**
 * Reads a secret from where the configuration says: `file:PATH` or `env:NAME`. The secret itself is in no configuration.
 * Throws `agent.join`.
 */
export async function readSecret(source: string, environment: Environment): Promise<string> {
  const text = (await read(source, environment))?.trim();
  if (text !== undefined && text !== "") return text;
  throw new MeshError("agent.join", `read a secret from ${source}: there is none`, {
    hint: "name where it is: file:PATH or env:NAME",
  });
}

export type Environment = Readonly<Record<string, string | undefined>>;

async function read(source: string, environment: Environment): Promise<string | undefined> {
  if (source.startsWith("env:")) return environment[source.slice("env:".length)];
  const path = source.slice("file:".length);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new MeshError("agent.join", `read a secret from ${source}: ${messageOf(cause)}`, { cause });
  }
}
