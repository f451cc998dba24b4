import { chmodSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { type CapturePlan, parseCapturePlan } from "./capture-plan.ts";

/** What is in force, for everybody on the host to read; it goes with the boot. */
const schema = z.object({
  /** Of the table. */
  mark: z.string(),
  /** Of the table as it was read after it was written. */
  digest: z.string(),
  confirmed: z.boolean(),
  plan: z.unknown(),
});

export interface InForce {
  readonly mark: string;
  readonly digest: string;
  readonly confirmed: boolean;
  readonly plan: CapturePlan;
}

export interface CapturePlaces {
  /** What is in force: read by the agent. */
  readonly runDir: string;
  /** What was confirmed: for the next boot. Root's alone. */
  readonly stateDir: string;
}

/** Neither is the agent's: what root reads there, only root may have written. */
export const CAPTURE_PLACES: CapturePlaces = {
  runDir: "/run/lateen-capture",
  stateDir: "/var/lib/lateen-capture",
};

/** What of this host's capture is kept in files. */
export class KeptCapture {
  readonly #inForce: string;
  readonly #confirmed: string;

  constructor({ runDir, stateDir }: CapturePlaces = CAPTURE_PLACES) {
    this.#inForce = join(runDir, "in-force.json");
    this.#confirmed = join(stateDir, "confirmed.json");
  }

  /** Undefined: nothing that anybody could read. */
  get inForce(): InForce | undefined {
    try {
      const { plan, ...rest } = schema.parse(JSON.parse(readFileSync(this.#inForce, "utf8")));
      return { ...rest, plan: parseCapturePlan(JSON.stringify(plan)) };
    } catch {
      return undefined;
    }
  }

  set inForce(value: InForce) {
    write(this.#inForce, JSON.stringify(value), 0o755, 0o644);
  }

  /** What the next boot restores; undefined: nothing. Throws `agent.capture` for a file that cannot be used. */
  get confirmed(): CapturePlan | undefined {
    try {
      return parseCapturePlan(readFileSync(this.#confirmed, "utf8"));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw new MeshError("agent.capture", `read ${this.#confirmed}: ${messageOf(cause)}`, {
        cause,
        hint: "lateen capture apply --confirm writes it anew",
      });
    }
  }

  set confirmed(plan: CapturePlan) {
    write(this.#confirmed, JSON.stringify(plan), 0o700, 0o600);
  }

  /** The table of this mark is in force no more. */
  forget(mark: string): void {
    if (this.inForce?.mark === mark) remove(this.#inForce);
  }

  /** Nothing is in force, nor after the next boot. */
  forgetAll(): void {
    remove(this.#inForce);
    remove(this.#confirmed);
  }
}

function write(path: string, text: string, directoryMode: number, mode: number): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Whatever root's umask is: the agent has to read some of it, and nobody but root may write.
    chmodSync(dirname(path), directoryMode);
    writeFileSync(`${path}.new`, text, { mode, flush: true });
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new MeshError("agent.capture", `write ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "run it as root; see that the disk is not full",
    });
  }
}

function remove(path: string): void {
  rmSync(path, { force: true });
  try {
    rmdirSync(dirname(path));
  } catch {
    // Not there, or something else is in it.
  }
}
