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
