import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { TABLE } from "./ruleset.ts";

const ANSWERS_WITHIN_MS = 20_000;
/** A ruleset of a host with many containers is some megabytes. */
const MOST_BYTES = 64 << 20;
const USUAL_PLACES = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/** The kernel's rules, through the program nft. Every call throws `agent.capture` when it cannot be had. */
export interface Nft {
  /** Runs a script as one transaction: all of it, or nothing. */
  apply(script: string, signal: AbortSignal): Promise<void>;
  /** Our table as JSON; undefined: there is none. */
  table(signal: AbortSignal): Promise<string | undefined>;
  /** All rules of the host as JSON. */
  ruleset(signal: AbortSignal): Promise<string>;
  /** Why nft refuses a script, without doing any of it; undefined: it does not. */
  refusal(script: string, signal: AbortSignal): Promise<string | undefined>;
}

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function nftProgram(path: string): Nft {
  const run = (args: readonly string[], signal: AbortSignal): Promise<Said> => runNft(path, args, signal);
  const fail = (what: string, { stderr }: Said): MeshError =>
    new MeshError("agent.capture", `${what}: ${firstLine(stderr)}`, {
      hint: /not permitted/i.test(stderr) ? "run it as root" : "the rules are as they were",
    });
  return {
    async apply(script, signal) {
      const said = await run([script], signal);
      if (said.code !== 0) throw fail("write the rules of capture", said);
    },
    async table(signal) {
      const said = await run(["-j", "list", "table", ...TABLE.split(" ")], signal);
      if (said.code === 0) return said.stdout;
      if (/No such file or directory/.test(said.stderr)) return undefined;
      throw fail("read the rules of capture", said);
    },
    async ruleset(signal) {
      const said = await run(["-j", "list", "ruleset"], signal);
      if (said.code !== 0) throw fail("read this host's rules", said);
      return said.stdout;
    },
    async refusal(script, signal) {
      const said = await run(["-c", script], signal);
      return said.code === 0 ? undefined : firstLine(said.stderr);
    },
  };
}

/** Where nft is; undefined: nowhere. */
export function findNft(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const folders = [...(environment["PATH"] ?? "").split(delimiter), ...USUAL_PLACES];
  return folders
    .map((folder) => join(folder, "nft"))
    .find((path) => path.startsWith("/") && existsSync(path));
}

async function runNft(path: string, args: readonly string[], signal: AbortSignal): Promise<Said> {
  const child = spawn(path, args, {
    // Messages are looked at: they must be in English.
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    // A script is an argument: nft cannot read the sockets that Node's pipes are.
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWERS_WITHIN_MS)]),
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      if (said[name].length > MOST_BYTES) child.kill();
    });
  }
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status ?? -1));
    });
    return { code, ...said };
  } catch (cause) {
    throw new MeshError("agent.capture", `run ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "install nftables (0.9.8 or newer), or name it with --nft",
    });
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] || "it says nothing";
}
