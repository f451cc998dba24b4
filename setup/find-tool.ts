import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** Programs that tests and the demo run beside Lateen. */
export type Tool = "envoy" | "consul" | "nomad" | "nft" | "softhsm2-util" | "vault";

/** Where `npm run tools` puts what it fetches; git ignores it. */
export const toolsFolder: string = resolve(import.meta.dirname, "../.tools");

/** The variable that names a tool's binary: it wins over everything. */
export function toolVariable(tool: Tool): string {
  return `LATEEN_${tool.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Path of a tool's binary: named by `LATEEN_ENVOY` (`_CONSUL`, `_NOMAD`), else on PATH, else in `.tools/`; undefined
 * when there is none. A variable that names no executable file is not passed over for another one: undefined too.
 */
export function findTool(tool: Tool, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment[toolVariable(tool)];
  if (named !== undefined && named !== "") return isExecutable(named) ? resolve(named) : undefined;
  const folders = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders, toolsFolder].map((folder) => join(folder, tool)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
