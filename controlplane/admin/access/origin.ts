import type { IncomingHttpHeaders } from "node:http";
import { MeshError } from "../../../mesh/errors.ts";

export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses what a web page could be tricked into sending, before it is looked at: DNS rebinding by `Host`, cross-site
 * calls by `Origin`. Throws `admin.refused`.
 */
export function assertOwnOrigin({ host, origin }: IncomingHttpHeaders, names: readonly string[]): void {
  const name = host?.replace(/:\d+$/, "").toLowerCase();
  if (name === undefined || !names.includes(name)) {
    throw new MeshError("admin.refused", "the request's Host is not a name of this server", {
      hint: `call it as ${names.join(", ")}, or add the name to admin.hosts`,
    });
  }
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new MeshError("admin.refused", "the request comes from another origin");
  }
}
