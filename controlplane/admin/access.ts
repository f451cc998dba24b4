import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { MeshError } from "../../mesh/errors.ts";
import type { Permission } from "./route.ts";

/**
 * How a listener knows its callers. Who can open the unix socket (0600 in a directory 0700) owns the server; on TCP
 * every call needs the admin token, and what a web page could be tricked into sending is refused before it is looked
 * at (DNS rebinding by `Host`, cross-site calls by `Origin`).
 */
export type Access =
  | { readonly kind: "socket" }
  | { readonly kind: "network"; readonly tokenHash: Buffer; readonly hosts: readonly string[] };

const GRANTS: Readonly<Record<Access["kind"], readonly Permission[]>> = {
  socket: ["read", "write", "tokens"],
  network: ["read", "write", "tokens"],
};

export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Throws unless a request with these headers may be looked at. */
export function authenticate(access: Access, headers: IncomingHttpHeaders): void {
  if (access.kind === "socket") return;
  assertHost(access.hosts, headers.host);
  assertOrigin(headers.host, headers.origin);
  const [, token] = /^Bearer ([\x21-\x7e]+)$/i.exec(headers.authorization ?? "") ?? [];
  // Hashes have one length, and their comparison tells an attacker nothing about the token.
  if (token === undefined || !timingSafeEqual(hashToken(token), access.tokenHash)) {
    throw new MeshError("admin.unauthorized", "this call needs the admin token", {
      hint: "set LATEEN_TOKEN_FILE to <state>/admin.token of the server, or use its unix socket",
    });
  }
}

/** Throws unless callers of this listener may do what a route needs. */
export function authorize(access: Access, needs: Permission): void {
  if (GRANTS[access.kind].includes(needs)) return;
  throw new MeshError("admin.refused", `this credential does not grant ${needs}`);
}

function assertHost(allowed: readonly string[], host: string | undefined): void {
  const name = host?.replace(/:\d+$/, "").toLowerCase();
  if (name !== undefined && allowed.includes(name)) return;
  throw new MeshError("admin.refused", "the request's Host is not a name of this server", {
    hint: `call it as ${allowed.join(", ")}`,
  });
}

function assertOrigin(host: string | undefined, origin: string | undefined): void {
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return;
  throw new MeshError("admin.refused", "the request comes from another origin");
}
