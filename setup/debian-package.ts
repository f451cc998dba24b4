import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AptSourceFile, type DebianMirror, debianMirrors } from "./debian-mirror.ts";

const run = promisify(execFile);

/** The last Debian release whose archive has Consul; what is built for it runs on every newer one. */
const RELEASE = "bullseye";
const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Fetches Debian packages from a mirror of this machine's own apt configuration and unpacks them in `work`; returns the
 * folder that stands for `/`. apt checks their signatures; its lists and cache are in `work`, so that the system's stay
 * as they are, nothing is installed and no privilege is needed.
 */
export async function unpackDebianPackages(
  names: readonly string[],
  work: string,
  release = RELEASE,
): Promise<string> {
  const mirrors = await machineMirrors();
  if (mirrors.length === 0) throw new Error("this machine's apt configuration names no Debian mirror");
  const failures: string[] = [];
  for (const [index, mirror] of mirrors.entries()) {
    try {
      return await unpackFrom(mirror, names, release, join(work, `mirror-${index}`));
    } catch (error) {
      failures.push(`${mirror.uri}: ${lastLine(error)}`);
    }
  }
  throw new Error(`no mirror of this machine's apt has ${release}'s ${names[0]} (${failures.join("; ")})`);
}

/** The Debian mirrors that this machine's apt is configured with. */
export async function machineMirrors(): Promise<readonly DebianMirror[]> {
  return debianMirrors(await aptSources());
}

async function unpackFrom(
  mirror: DebianMirror,
  names: readonly string[],
  release: string,
  place: string,
): Promise<string> {
  const apt = await privateApt(mirror, release, place);
  await run("apt-get", [...apt, "update"], { maxBuffer: 16 << 20 });
  await run("apt-get", [...apt, "download", ...names], { cwd: place });
  const files = (await readdir(place)).filter((name) => name.endsWith(".deb"));
  if (files.length < names.length) throw new Error(`apt-get downloaded ${files.length} of ${names.length}`);
  const root = join(place, "root");
  for (const file of files) await run("dpkg-deb", ["-x", join(place, file), root]);
  return root;
}

/** Options that make apt-get work on a root of its own: see apt.conf(5), “Directories”. */
async function privateApt(mirror: DebianMirror, release: string, place: string): Promise<readonly string[]> {
  await mkdir(join(place, "lists/partial"), { recursive: true });
  await mkdir(join(place, "cache/archives/partial"), { recursive: true });
  const keyring = mirror.signedBy ?? (await ifReadable(DEBIAN_KEYRING));
  const signedBy = keyring === undefined ? "" : `[signed-by=${keyring}] `;
  await writeFile(join(place, "sources.list"), `deb ${signedBy}${mirror.uri} ${release} main\n`);
  return [
    `Dir::Etc::SourceList=${join(place, "sources.list")}`,
    "Dir::Etc::SourceParts=/dev/null",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    `Dir::State::Lists=${join(place, "lists")}`,
    // What is installed is another release's, and of no concern here.
    "Dir::State::status=/dev/null",
    `Dir::Cache=${join(place, "cache")}`,
    "APT::Sandbox::User=",
    "APT::Update::Error-Mode=any",
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "Acquire::Check-Valid-Until=false",
    "Acquire::Retries=2",
  ].flatMap((option) => ["-o", option]);
}

async function aptSources(): Promise<readonly AptSourceFile[]> {
  const parts = await readdir("/etc/apt/sources.list.d").catch(() => []);
  const names = parts.filter((name) => /\.(list|sources)$/.test(name)).sort();
  const paths = ["/etc/apt/sources.list", ...names.map((name) => `/etc/apt/sources.list.d/${name}`)];
  return Promise.all(
    paths.map(async (name) => ({ name, text: await readFile(name, "utf8").catch(() => "") })),
  );
}

async function ifReadable(path: string): Promise<string | undefined> {
  return readFile(path).then(
    () => path,
    () => undefined,
  );
}

/** What a failed program said last, which is where apt puts its reason. */
function lastLine(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  const line = (said || String(error)).trim().split("\n").at(-1) ?? "";
  return line.replace(/^E: /, "");
}
