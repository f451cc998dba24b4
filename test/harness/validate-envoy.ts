import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { requireTool } from "./tools.ts";

/** What a real Envoy says of a bootstrap that it only looks at; begins with `REFUSED` when it would not take it. */
export async function validateBootstrap(bootstrap: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-envoy-"));
  try {
    const path = join(folder, "bootstrap.json");
    await writeFile(path, JSON.stringify(bootstrap));
    const { stderr } = await promisify(execFile)(
      requireTool("envoy"),
      ["--mode", "validate", "-c", path, "--log-level", "warn", "--disable-hot-restart"],
      { timeout: 60_000 },
    );
    return stderr;
  } catch (error) {
    return `REFUSED\n${(error as { stderr?: string }).stderr ?? String(error)}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
