/**
 * Makes the program as it is shipped: JavaScript without types, each command in the chunks that it needs, the licenses of
 * what is in it, and the packages whose native parts are loaded at run time.
 *
 * bundle.ts [FOLDER [ARCHITECTURE NODE_MODULES]]: into `dist/`, and for this machine's processor, unless told.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const [out = "dist", architecture = process.arch, modules = "node_modules"] = process.argv.slice(2);
/** Loaded by `require` where they are used, and only there. */
const BESIDE = ["koffi", `@koromix/koffi-linux-${architecture}`, "systemd-notify"];
const NOT_NEEDED =
  /\/(?:src|doc|test|vendor|native|musl_\w+|cnoke\.cjs|yarn\.lock|\.\w+|\.eslintrc\.yml|\w+\.(?:md|d\.ts))$/;

await rm(out, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: { lateen: "cli/lateen.js", "thread-entry": "proxy/workers/thread-entry.ts" },
  bundle: true,
  splitting: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node24",
  // Beside each other: who starts `../cli/lateen.js` from its own place finds it here as well.
  outdir: join(out, "cli"),
  chunkNames: "[name]-[hash]",
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
  external: BESIDE,
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
});
for (const name of BESIDE) {
  const to = join(out, "node_modules", name);
  await mkdir(dirname(to), { recursive: true });
  await cp(join(modules, name), to, { recursive: true, filter: (path) => !NOT_NEEDED.test(path) });
}
const { name, version, type, license } = JSON.parse(await readFile("package.json", "utf8")) as Record<
  string,
  string
>;
await writeFile(join(out, "package.json"), `${JSON.stringify({ name, version, type, license })}\n`);
for (const path of ["LICENSE", "lateen", "packaging/systemd"])
  await cp(path, join(out, path), { recursive: true });
await writeFile(join(out, "LICENSES.txt"), await licensesOf(packagesIn(Object.keys(metafile.inputs))));

const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.log(`${out}: ${Object.keys(metafile.outputs).length} files, ${(bytes / 1e6).toFixed(1)} MB`);

/** Their folders, in order. */
function packagesIn(inputs: readonly string[]): readonly string[] {
  const folders = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

async function licensesOf(folders: readonly string[]): Promise<string> {
  const texts = await Promise.all(folders.map(licenseOf));
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

async function licenseOf(folder: string): Promise<string> {
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  const text = file && existsSync(join(folder, file)) ? await readFile(join(folder, file), "utf8") : "";
  return `${about.name} ${about.version}, ${about.license ?? "see below"}\n\n${text}`;
}
