/**
 * Makes the packages that users install, in `dist-packages/`: deb and rpm, for x64 and arm64, each with its own Node. The
 * same commit gives the same bytes: times are SOURCE_DATE_EPOCH, or the commit's. `--arch=x64` and `--kind=deb` make fewer,
 * `--level=0` makes them fast and large, `--version` makes them of another version than package.json's.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { ARCHITECTURES, type Architecture } from "./architecture.ts";
import { buildDeb } from "./deb.ts";
import type { Edition } from "./edition.ts";
import { platformPackages } from "./platform-packages.ts";
import { buildRpm } from "./rpm.ts";
import { stage } from "./stage.ts";

const OUT = "dist-packages";
const KINDS = { deb: buildDeb, rpm: buildRpm } as const;
type Kind = keyof typeof KINDS;

const { values: wanted } = parseArgs({
  options: {
    arch: { type: "string", multiple: true, default: Object.keys(ARCHITECTURES) },
    kind: { type: "string", multiple: true, default: Object.keys(KINDS) },
    version: { type: "string" },
    out: { type: "string", default: OUT },
    level: { type: "string", default: "6" },
  },
});

const edition = await editionOf(wanted.version);
const work = await mkdtemp(join(tmpdir(), "lateen-packages-"));
try {
  await mkdir(wanted.out, { recursive: true });
  const sums: string[] = [];
  for (const architecture of wanted.arch.map(architectureNamed)) {
    console.log(`${architecture.node}: bundling …`);
    const dist = join(work, `dist-${architecture.node}`);
    const packages = await platformPackages(architecture, join(work, `packages-${architecture.node}`));
    execFileSync(process.execPath, ["setup/bundle.ts", dist, architecture.node, packages], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    for (const kind of wanted.kind.map(kindNamed)) {
      const root = join(work, `${kind}-${architecture.node}`);
      await stage({
        root,
        dist,
        node: join(packages, `node-linux-${architecture.node}/bin/node`),
        kind,
        edition,
      });
      const made = await KINDS[kind]({
        root,
        work,
        out: wanted.out,
        architecture,
        edition,
        level: Number(wanted.level),
      });
      sums.push(await told(made));
    }
  }
  await writeFile(join(wanted.out, "SHA256SUMS"), `${sums.join("\n")}\n`);
} finally {
  await rm(work, { recursive: true, force: true });
}

async function told(path: string): Promise<string> {
  const sum = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  const megabytes = ((await stat(path)).size / 1e6).toFixed(1);
  console.log(`${path.padEnd(50)} ${megabytes.padStart(5)} MB  ${sum.slice(0, 12)}`);
  return `${sum}  ${basename(path)}`;
}

async function editionOf(version: string | undefined): Promise<Edition> {
  const about = JSON.parse(await readFile("package.json", "utf8")) as {
    readonly version: string;
    readonly description: string;
  };
  const [summary = ""] = about.description.replace(/^A /, "").split(":");
  const epoch =
    process.env["SOURCE_DATE_EPOCH"] ??
    execFileSync("git", ["log", "-1", "--format=%ct"], { encoding: "utf8" }).trim();
  return { version: version ?? about.version, summary, epoch: Number(epoch) };
}

function architectureNamed(name: string): Architecture {
  const found = ARCHITECTURES[name];
  if (found !== undefined) return found;
  throw new Error(`there is no architecture ${name}: ${Object.keys(ARCHITECTURES).join(", ")}`);
}

function kindNamed(name: string): Kind {
  if (Object.hasOwn(KINDS, name)) return name as Kind;
  throw new Error(`there is no kind ${name}: ${Object.keys(KINDS).join(", ")}`);
}
