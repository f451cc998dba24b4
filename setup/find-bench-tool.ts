import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { toolsFolder } from "./find-tool.ts";

/** Stands for `/` of the packages that `make bench-proxy` fetches. */
export const benchToolsFolder: string = join(toolsFolder, "bench");

const PATHS = {
  haproxy: "usr/sbin/haproxy",
  nginx: "usr/sbin/nginx",
  wrk: "usr/bin/wrk",
  h2load: "usr/bin/h2load",
} as const;

export type BenchTool = keyof typeof PATHS;

/** How to start one: its path, and the environment in which it finds its libraries. */
export function benchTool(tool: BenchTool): {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
} {
  const path = join(benchToolsFolder, PATHS[tool]);
  if (!existsSync(path))
    throw new Error(`${tool} is not in ${benchToolsFolder}: make bench-proxy fetches it`);
  return {
    path,
    env: { LD_LIBRARY_PATH: globSync(join(benchToolsFolder, "usr/lib/*-linux-gnu*")).join(":") },
  };
}
