import { execFileSync } from "node:child_process";
import { findTool, type Tool, toolVariable } from "../../setup/find-tool.ts";

/** No registry has them to fetch. */
const OPTIONAL: ReadonlySet<Tool> = new Set(["nomad", "vault"]);

/**
 * For a test's `skip` option: false when the tool is there, else the reason. With `CI` set a missing one
 * throws, which fails the test file: CI must not pass by skipping.
 */
export function skipWithout(tool: Tool): string | false {
  if (findTool(tool) !== undefined) return false;
  const reason = `no ${tool} on this machine: run npm run tools, or set ${toolVariable(tool)}`;
  if (process.env["CI"] && !OPTIONAL.has(tool)) throw new Error(reason);
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
  const reason = namespacesLack();
  if (reason === undefined) return skipWithout("nft");
  if (process.env["CI"]) throw new Error(reason);
  return reason;
}

/** What keeps this process from making network namespaces. Trying is the only way to know. */
function namespacesLack(): string | undefined {
  const name = `lateen-${process.pid}-try`;
  try {
    execFileSync("ip", ["netns", "add", name], { stdio: "pipe" });
    execFileSync("ip", ["netns", "del", name], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    const [line] = String(error).split("\n");
    return `no network namespaces here: root and ip (Debian: iproute2) are needed (${line})`;
  }
}
