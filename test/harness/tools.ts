import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findTool, type Tool, toolVariable } from "../../setup/find-tool.ts";

/**
 * For a test's `skip` option: false when the tool is there, else the reason. With `CI` set a missing Envoy or Consul
 * throws, which fails the test file: CI must not pass by skipping.
 */
export function skipWithout(tool: Tool): string | false {
  if (findTool(tool) !== undefined) return false;
  const reason = `no ${tool} on this machine: run npm run tools, or set ${toolVariable(tool)}`;
  if (process.env["CI"] && tool !== "nomad") throw new Error(reason);
  return reason;
}

/** Path of a tool, for tests that `skipWithout` lets run. */
export function requireTool(tool: Tool): string {
  const path = findTool(tool);
  if (path === undefined) throw new Error(`no ${tool} on this machine`);
  return path;
}

/** The same for tests that make network namespaces with rules in them. */
export function skipWithoutNamespaces(): string | false {
  const lacking = [
    ...(process.getuid?.() === 0 ? [] : ["root"]),
    ...(isOnPath("ip") ? [] : ["ip (Debian: apt-get install iproute2)"]),
  ];
  if (lacking.length === 0) return skipWithout("nft");
  const reason = `network namespaces need ${lacking.join(" and ")}`;
  if (process.env["CI"]) throw new Error(reason);
  return reason;
}

function isOnPath(program: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program)));
}
