import { chmod, cp, lutimes, mkdir, readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { bashCompletion } from "../cli/completion/bash.ts";
import { fishCompletion } from "../cli/completion/fish.ts";
import { zshCompletion } from "../cli/completion/zsh.ts";
import { commandTree } from "../cli/reference/command-tree.ts";
import { manPages } from "../cli/reference/man-page.ts";
import type { Edition } from "./edition.ts";

interface Staged {
  readonly root: string;
  /** What `setup/bundle.ts` has made. */
  readonly dist: string;
  /** The binary. */
  readonly node: string;
  readonly kind: "deb" | "rpm";
  readonly edition: Edition;
}

const PROGRAM = "usr/lib/lateen";
const UNITS = ["lateen-server.service", "lateen-agent.service", "lateen-capture.service"];
const DOCUMENTS = "usr/share/doc/lateen";

/** Lays a package's files out below `root`, as they are to be below `/`; owners are left to the package. */
export async function stage({ root, dist, node, kind, edition }: Staged): Promise<void> {
  const at = (path: string): string => join(root, path);
  await cp(dist, at(PROGRAM), { recursive: true });
  // The launcher runs it, with the Node beside it; nobody is to run it with another.
  const program = at(join(PROGRAM, "cli/lateen.js"));
  await writeFile(program, (await readFile(program, "utf8")).replace(/^#!.*\n/, ""));
  await cp(node, at(join(PROGRAM, "node")));
  await linked(at("usr/bin/lateen"), "../lib/lateen/lateen");
  for (const unit of UNITS)
    await cp(join("packaging/systemd", unit), at(join("usr/lib/systemd/system", unit)));
  await cp("packaging/systemd/lateen.sysusers", at("usr/lib/sysusers.d/lateen.conf"));
  await cp("packaging/systemd/lateen.tmpfiles", at("usr/lib/tmpfiles.d/lateen.conf"));
  await references(at, edition);
  await documents(at, dist, kind, edition);
  await settle(root, edition.epoch);
}

type At = (path: string) => string;

async function references(at: At, { version, epoch }: Edition): Promise<void> {
  const commands = await commandTree();
  await written(at("usr/share/bash-completion/completions/lateen"), bashCompletion(commands));
  await written(at("usr/share/zsh/vendor-completions/_lateen"), zshCompletion(commands));
  await written(at("usr/share/fish/vendor_completions.d/lateen.fish"), fishCompletion(commands));
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  for (const { file, text } of manPages(commands, { version, date })) {
    await written(at(`usr/share/man/man${file.at(-1)}/${file}.gz`), compressed(text));
  }
}

async function documents(at: At, dist: string, kind: Staged["kind"], edition: Edition): Promise<void> {
  const pages = (await readdir("docs")).filter((name) => name.endsWith(".md"));
  for (const name of ["README.md", ...pages.map((page) => join("docs", page))])
    await written(at(join(DOCUMENTS, name.replace("docs/", ""))), await readFile(name, "utf8"));
  await written(
    at(join(DOCUMENTS, "LICENSES.txt.gz")),
    compressed(await readFile(join(dist, "LICENSES.txt"), "utf8")),
  );
  if (kind === "rpm") {
    await cp("LICENSE", at("usr/share/licenses/lateen/LICENSE"));
    return;
  }
  await cp("packaging/debian/copyright", at(join(DOCUMENTS, "copyright")));
  await cp("packaging/debian/lintian-overrides", at("usr/share/lintian/overrides/lateen"));
  await written(at(join(DOCUMENTS, "changelog.gz")), compressed(changelog(edition)));
}

function changelog({ version, epoch }: Edition): string {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `lateen (${version}) stable; urgency=medium\n\n  * Version ${version}.\n\n -- ${MAINTAINER}  ${date}\n`;
}

export const MAINTAINER = "The Lateen authors <maintainers@lateen.example>";

/** Without a time in it, and as small as it gets. */
function compressed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

async function written(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function linked(path: string, to: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(to, path);
}

/** Every file has one time, and a mode that does not depend on who builds. */
async function settle(root: string, epoch: number): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) {
      await lutimes(path, epoch, epoch);
      continue;
    }
    const runs = entry.isDirectory() || (entry.isFile() && isProgram(path));
    await chmod(path, runs ? 0o755 : 0o644);
  }
  // Folders last: what is written into one changes its time.
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  for (const entry of entries)
    if (!entry.isSymbolicLink()) await utimes(join(entry.parentPath, entry.name), epoch, epoch);
  await utimes(root, epoch, epoch);
}

function isProgram(path: string): boolean {
  return ["node", "lateen"].some((name) => path.endsWith(join(PROGRAM, name)));
}
