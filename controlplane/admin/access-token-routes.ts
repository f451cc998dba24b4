import * as z from "zod";
import {
  ACCESS_ROLES,
  type AccessTokenReply,
  type CreatedAccessTokenReply,
  type List,
  listOf,
} from "../../mesh/admin-api/replies.ts";
import { namespaceName } from "./fields.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, notFound, parseJsonBody, parsePart } from "./route.ts";

const DAY_MS = 24 * 3_600_000;

const createBody = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/, "must be letters, digits, dots, dashes and @"),
  role: z.enum(ACCESS_ROLES),
  namespaces: z.array(namespaceName).min(1).max(100).optional(),
  ttlMs: z
    .number()
    .int()
    .min(60_000, "must be a minute or more")
    .max(366 * DAY_MS, "must be a year or less")
    .default(30 * DAY_MS),
});
const revokeQuery = z.strictObject({ id: z.string().min(1).max(64) });

/** Reach "mesh": whoever gives out access could give itself more than it has. */
const see = { resource: "access-tokens", verb: "read", reach: "mesh" } as const;
const change = { resource: "access-tokens", verb: "write", reach: "mesh" } as const;

export const accessTokenRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/access-tokens", ...see, handle: list },
  { method: "POST", path: "/v1/access-tokens", ...change, handle: create, audited: createdFields },
  { method: "DELETE", path: "/v1/access-tokens", ...change, handle: revoke },
];

function list(_call: AdminCall, deps: AdminDeps): List<AccessTokenReply> {
  return listOf(deps.accessTokens.list());
}

function create(call: AdminCall, deps: AdminDeps): CreatedAccessTokenReply & { readonly name: string } {
  const { name, role, namespaces, ttlMs } = parseJsonBody(createBody, call.body);
  return { name, ...deps.accessTokens.create(name, { role, namespaces }, ttlMs) };
}

function createdFields({
  name,
  id,
  expiresAt,
}: ReturnType<typeof create>): Readonly<Record<string, unknown>> {
  return { name, id, expiresAt };
}

function revoke(call: AdminCall, deps: AdminDeps): { readonly id: string } {
  const { id } = parsePart("query", revokeQuery, call.query);
  if (!deps.accessTokens.revoke(id)) throw notFound(`access token ${id}`, "lateen access list shows them");
  return { id };
}
