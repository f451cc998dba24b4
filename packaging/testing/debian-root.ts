import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { machineMirrors, unpackDebianPackages } from "../../setup/debian-package.ts";
import { toolsFolder } from "../../setup/find-tool.ts";

/** What is looked at needs these; the root has nothing else but Debian's minimum. */
const INCLUDED = ["adduser", "init-system-helpers", "man-db"];
const SUITE = "bookworm";

/** A Debian of its own in a folder; what happens in it happens nowhere else. Needs root. */
export class DebianRoot implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** A fresh copy; the first one takes some minutes to fetch. */
  static async make(): Promise<DebianRoot> {
    const kept = join(toolsFolder, `debian-${SUITE}`);
    if (!existsSync(kept)) await bootstrap(kept);
    const path = mkdtempSync(join(tmpdir(), "lateen-debian-"));
    execFileSync("cp", ["-a", `${kept}/.`, path]);
    execFileSync("mount", ["-t", "proc", "lateen-test", join(path, "proc")]);
    return new DebianRoot(path);
  }

  /** Runs a program in there and returns what it said on both outputs; throws with it when it fails. */
  run(program: string, ...args: readonly string[]): string {
    try {
      return execFileSync("chroot", [this.path, program, ...args], {
        encoding: "utf8",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 300_000,
      });
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { readonly stdout?: string; readonly stderr?: string };
      throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** Takes a file in, under its own name in `/tmp`. */
  take(path: string): string {
    execFileSync("cp", [path, join(this.path, "tmp")]);
    return join("/tmp", path.slice(path.lastIndexOf("/") + 1));
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", join(this.path, "proc")]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

async function bootstrap(to: string): Promise<void> {
  mkdirSync(toolsFolder, { recursive: true });
  const work = mkdtempSync(join(toolsFolder, ".fetch-debian-"));
  try {
    const [mirror] = await machineMirrors();
    if (mirror === undefined) throw new Error("this machine's apt configuration names no Debian mirror");
    const unpacked = await unpackDebianPackages(["debootstrap"], work, SUITE);
    const root = join(work, "root");
    const flags = ["--variant=minbase", `--include=${INCLUDED.join(",")}`, SUITE, root, mirror.uri];
    await promisify(execFile)(join(unpacked, "usr/sbin/debootstrap"), flags, {
      env: { ...process.env, DEBOOTSTRAP_DIR: join(unpacked, "usr/share/debootstrap") },
      maxBuffer: 1 << 26,
    });
    rmSync(join(root, "var/cache/apt/archives"), { recursive: true });
    renameSync(root, to);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
