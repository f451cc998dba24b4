import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, lstat, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { DESCRIPTION, type Order } from "./edition.ts";
import { MAINTAINER } from "./stage.ts";

/** What Node's binary is linked with; its own release notes say the same. */
const DEPENDS = "libc6 (>= 2.28), libgcc-s1 (>= 3.0), libstdc++6 (>= 5.2), adduser";
const SCRIPTS = ["postinst", "prerm", "postrm"];

/** A package for dpkg, in `deb(5)`'s form. Returns its path. */
export async function buildDeb({ root, out, architecture, edition, level }: Order): Promise<string> {
  const control = join(root, "DEBIAN");
  const files = await filesBelow(root);
  await mkdir(control);
  const kibibytes = Math.ceil(files.reduce((sum, { size }) => sum + size, 0) / 1024);
  await writeFile(
    join(control, "control"),
    `Package: lateen
Version: ${edition.version}
Architecture: ${architecture.deb}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: ${DEPENDS}
Recommends: nftables
Suggests: consul, nomad
Section: net
Priority: optional
Description: ${edition.summary}
${DESCRIPTION.split("\n")
  .map((line) => ` ${line}\n`)
  .join("")}`,
  );
  await writeFile(
    join(control, "md5sums"),
    files.map(({ path, md5 }) => `${md5}  ${relative(root, path)}\n`).join(""),
  );
  for (const script of SCRIPTS) {
    await cp(join("packaging/debian", script), join(control, script));
    await chmod(join(control, script), 0o755);
  }
  for (const name of [...(await readdir(control)).map((file) => join(control, file)), control, root])
    await utimes(name, edition.epoch, edition.epoch);
  const path = join(out, `lateen_${edition.version}_${architecture.deb}.deb`);
  // One thread: how many there are would show in the bytes.
  const flags = ["--root-owner-group", "-Zxz", `-z${level}`, "--threads-max=1", "--build"];
  await promisify(execFile)("dpkg-deb", [...flags, root, path], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(edition.epoch) },
  });
  return path;
}

interface PackagedFile {
  readonly path: string;
  readonly size: number;
  readonly md5: string;
}

async function filesBelow(root: string): Promise<readonly PackagedFile[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return await Promise.all(
    paths.sort().map(async (path) => ({
      path,
      size: (await lstat(path)).size,
      md5: createHash("md5")
        .update(await readFile(path))
        .digest("hex"),
    })),
  );
}
