import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import { HOOK_KINDS } from "./hook.ts";
import { writeWhole } from "./write-whole.ts";

const RECORD = "host-dns.json";

const schema = z.object({
  kind: z.enum(HOOK_KINDS),
  path: z.string(),
  /** What was written there. */
  text: z.string(),
  /** What was there before; null: nothing. */
  before: z.object({ base64: z.string(), mode: z.number(), uid: z.number(), gid: z.number() }).nullable(),
  /** Directories that were made for it. */
  directories: z.array(z.string()),
  reload: z.array(z.string()).optional(),
});

/** What `lateen host dns` has done to a host, so that it can be undone to the byte. Only root writes it. */
export type HookRecord = z.output<typeof schema>;

/** Undefined: nothing was done. */
export function readHookRecord(configDir: string): HookRecord | undefined {
  const path = join(configDir, RECORD);
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new MeshError("cli.host", `read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "it says what lateen host dns has written: put that back by hand, then remove this file",
    });
  }
}

export function writeHookRecord(configDir: string, record: HookRecord): void {
  writeWhole(join(configDir, RECORD), Buffer.from(JSON.stringify(record)), { mode: 0o644 });
}

export function removeHookRecord(configDir: string): void {
  rmSync(join(configDir, RECORD), { force: true });
}

/** What is left to try with a file that was changed since: undo would take somebody else's lines away. */
export function changedHint(configDir: string): string {
  return `take lateen's lines out of it yourself, then remove ${join(configDir, RECORD)}`;
}
