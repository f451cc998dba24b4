import { readFile } from "node:fs/promises";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { HostProof } from "./host-proof.ts";

const EVERY_MS = 5_000;

/**
 * Tells when the file that a proof is read from has become another one, until the signal is aborted: what failed with the
 * old one is worth another attempt. Returns at once for a proof that is in no file.
 */
export async function watchProof(
  proof: HostProof | undefined,
  clock: Clock,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { file } = proof ?? {};
  if (file === undefined) return;
  const read = async (): Promise<string | undefined> => readFile(file, "utf8").catch(() => undefined);
  for (let before = await read(); !signal.aborted; ) {
    await clock.sleep(EVERY_MS, signal);
    const now = await read();
    if (now !== undefined && now !== before && !signal.aborted) changed();
    before = now ?? before;
  }
}
