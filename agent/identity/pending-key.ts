import { createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { readPrivate, writePrivate } from "../state/private-files.ts";
import { exportPrivateKey, generatePrivateKey } from "./private-key.ts";

const schema = z.object({ purpose: z.string(), keyPem: z.string() });

function pendingKeyPath(stateDir: string): string {
  return join(stateDir, "identity", "joining.json");
}

/**
 * The key to join with, on disk before it is shown to anyone: a server that took the proof and whose answer got lost
 * gives the same answer to the same key. `purpose` names what it is for, and is kept as a hash; for another purpose the
 * key is a new one.
 */
export async function pendingKey(stateDir: string, purpose: string): Promise<KeyObject> {
  const path = pendingKeyPath(stateDir);
  const wanted = createHash("sha256").update(purpose).digest("base64url");
  const found = readPending(await readPrivate(path));
  if (found?.purpose === wanted) return createPrivateKey(found.keyPem);
  const key = await generatePrivateKey();
  await writePrivate(path, JSON.stringify({ purpose: wanted, keyPem: exportPrivateKey(key) }));
  return key;
}

/** It has become the agent's. */
export async function dropPendingKey(stateDir: string): Promise<void> {
  await rm(pendingKeyPath(stateDir), { force: true });
}

/** A damaged one is of no use to anybody, and none is lost with it. */
function readPending(text: string | undefined): z.output<typeof schema> | undefined {
  try {
    const found = schema.parse(JSON.parse(text ?? ""));
    createPrivateKey(found.keyPem);
    return found;
  } catch {
    return undefined;
  }
}
