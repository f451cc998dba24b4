import { isIP } from "node:net";
import * as z from "zod";
import { quoted } from "./finding.ts";
import { problemCheck } from "./schema-rule.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";

/** Linux has 108 bytes for it, one of them for the end (unix(7)). */
const UNIX_SOCKET = /^unix:\/\/(?:@[^\0]+|\/(?:[^\0]*[^\0/])?)$/;
const LONGEST_UNIX_SOCKET = "unix://".length + 107;

/** Where a listener is bound: an IP address or `unix://` with a path; empty when nothing is said. */
export const bindAddress: z.ZodType<string> = z.string().check(problemCheck(bindProblem)).default("");

/** A socket that `unix://` names; `@` begins an abstract one. */
export function unixSocketProblem(address: string): string | undefined {
  if (!UNIX_SOCKET.test(address) || address === "unix:///")
    return `${quoted(address)} is not unix:// with the absolute path of a file or with @ and a name`;
  return Buffer.byteLength(address) > LONGEST_UNIX_SOCKET
    ? "is longer than a socket's path may be"
    : undefined;
}

function bindProblem(address: string): string | undefined {
  if (address === "") return undefined;
  if (isUnixAddress(address)) return unixSocketProblem(address);
  return isIP(address) === 0 ? `${quoted(address)} is not an IP address or unix:// with a path` : undefined;
}
