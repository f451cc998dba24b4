import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { HookPlan } from "./hook.ts";
import {
  changedHint,
  type HookRecord,
  readHookRecord,
  removeHookRecord,
  writeHookRecord,
} from "./hook-record.ts";
import { writeWhole } from "./write-whole.ts";

export interface HookPlaces {
  /** Where what was done is kept. */
  readonly configDir: string;
  /** Put before every path of the host, for tests; empty otherwise. */
  readonly root?: string;
  /** Runs a program; throws when it fails. */
  readonly run?: (program: string, args: readonly string[]) => void;
}

/** Does what was planned. Returns what was done, a line each. Throws, with nothing changed, when it cannot be. */
export function applyHook(plan: HookPlan, places: HookPlaces): readonly string[] {
  const { configDir, root = "" } = places;
  const path = root + plan.path;
  const before = formerFile(path);
  const bytes = Buffer.from(plan.text);
  if (readHookRecord(configDir) !== undefined)
    throw new MeshError("config.exists", "this host's questions go to its agent already", {
      hint: "lateen host dns --undo comes first",
    });
  refuseOthers(plan, path, before);
  const directories = missingDirectories(path);
  const record: HookRecord = {
    kind: plan.kind,
    path,
    text: plan.text,
    before,
    directories,
    ...(plan.reload === undefined ? {} : { reload: [...plan.reload] }),
  };
  // Kept first: whatever happens next can be undone.
  writeHookRecord(configDir, record);
  try {
    for (const directory of directories) mkdirSync(directory, { mode: 0o755 });
    writeWhole(path, bytes, before ?? { mode: 0o644 });
    return [`wrote ${path}`, ...reload(plan.reload, places)];
  } catch (error) {
    restore(record);
    removeHookRecord(configDir);
    throw error;
  }
}

/** A file that is not as it was planned from is somebody else's work, which nothing is written over. */
function refuseOthers({ from }: HookPlan, path: string, before: HookRecord["before"]): void {
  const now = before === null ? undefined : textOf(before);
  if (now === from) return;
  if (from === undefined)
    throw new MeshError("config.exists", `${path} is there already, and was not written by lateen host dns`, {
      hint: "look what it is; lateen host dns does not write over it",
    });
  throw new MeshError("cli.host", `write ${path}: it has been changed while lateen host dns looked at it`, {
    hint: "look who writes it, then run this again",
  });
}

/**
 * Puts back what was there, to the byte. Returns what was done; empty when there was nothing to undo. Throws when the file is
 * somebody else's by now, or when the resolver cannot be told: then it is still on record.
 */
export function undoHook(places: HookPlaces): readonly string[] {
  const record = readHookRecord(places.configDir);
  if (record === undefined) return [];
  const { path, text, before } = record;
  const now = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const written = now === text;
  const former = before === null ? undefined : textOf(before);
  if (!written && now !== undefined && now !== former)
    throw new MeshError("cli.host", `undo what was written to ${path}: it has been changed since`, {
      hint: changedHint(places.configDir),
    });
  restore(record);
  const done = before === null ? `removed ${path}` : `put ${path} back as it was`;
  const told = reload(record.reload, places);
  // Until then the resolver may still ask the agent: this can be tried again.
  removeHookRecord(places.configDir);
  return [done, ...told];
}

function restore({ path, before, directories }: HookRecord): void {
  if (before === null) rmSync(path, { force: true });
  else writeWhole(path, Buffer.from(before.base64, "base64"), before);
  for (const directory of directories.toReversed()) {
    try {
      rmdirSync(directory);
    } catch {
      // Others have put something there, or it was never made.
    }
  }
}

function formerFile(path: string): HookRecord["before"] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const { mode, uid, gid } = found;
  return { base64: readFileSync(path).toString("base64"), mode: mode & 0o7777, uid, gid };
}

function textOf({ base64 }: NonNullable<HookRecord["before"]>): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function missingDirectories(path: string): string[] {
  const missing: string[] = [];
  for (let at = dirname(path); !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  return missing;
}

function reload(command: readonly string[] | undefined, { run = runProgram }: HookPlaces): readonly string[] {
  const [program, ...args] = command ?? [];
  if (program === undefined) return [];
  try {
    run(program, args);
    return [`ran ${[program, ...args].join(" ")}`];
  } catch (cause) {
    if (isMissing(cause)) return [`to be run, where ${program} is: ${[program, ...args].join(" ")}`];
    throw new MeshError("cli.host", `run ${[program, ...args].join(" ")}: ${messageOf(cause)}`, { cause });
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

function runProgram(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "pipe", "pipe"] });
}
