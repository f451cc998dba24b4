import * as z from "zod";
import { type CreatedTokenReply, type List, listOf, type TokenReply } from "../../mesh/admin-api/replies.ts";
import { isCidr } from "../attest/address-range.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, notFound, parseJsonBody, parsePart } from "./route.ts";

const DEFAULT_TTL_MS = 15 * 60_000;
const LONGEST_TTL_MS = 24 * 3_600_000;

/** What no workload and no host can be called would make a token that is good for nothing. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const ACCOUNT = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const NODE_NAME = /^[A-Za-z0-9._-]{1,253}$/;

const createBody = z.strictObject({
  ttlMs: z
    .number()
    .int()
    .min(1_000, "must be a second or more")
    .max(LONGEST_TTL_MS, "must be 24 hours or less")
    .default(DEFAULT_TTL_MS),
  namespace: z.string().regex(LABEL, "must be lower-case letters, digits and dashes").optional(),
  serviceAccounts: z
    .array(z.string().regex(ACCOUNT, "must be lower-case letters, digits, dashes and dots"))
    .min(1)
    .max(100)
    .optional(),
  node: z.string().regex(NODE_NAME, "must be the name of one host").optional(),
  cidrs: z
    .array(z.string().refine(isCidr, "must be a range of addresses, as in 10.1.0.0/16"))
    .min(1)
    .max(100)
    .optional(),
});
const revokeQuery = z.strictObject({ id: z.string().min(1).max(253) });

const see = { resource: "join-tokens", verb: "read", reach: "namespace" } as const;
const change = { resource: "join-tokens", verb: "write", reach: "namespace" } as const;

export const tokenRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/tokens", ...see, handle: list },
  { method: "POST", path: "/v1/tokens", ...change, handle: create, audited: createdFields },
  { method: "DELETE", path: "/v1/tokens", ...change, handle: revoke },
];

function list({ caller }: AdminCall, deps: AdminDeps): List<TokenReply> {
  return listOf(deps.tokens.list().filter(({ binding }) => holdsIn(caller, binding.namespace)));
}

async function create(call: AdminCall, deps: AdminDeps): Promise<CreatedTokenReply> {
  const { ttlMs, namespace, serviceAccounts, node, cidrs } = parseJsonBody(createBody, call.body);
  const binding = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(serviceAccounts === undefined ? {} : { serviceAccounts }),
    ...(node === undefined ? {} : { node }),
    ...(cidrs === undefined ? {} : { cidrs }),
  };
  // A token that binds to no namespace is good for all of them.
  assertHoldsIn(call.caller, namespace);
  return await deps.tokens.create(binding, ttlMs);
}

function createdFields({ id, expiresAt }: CreatedTokenReply): Readonly<Record<string, unknown>> {
  return { id, expiresAt };
}

function revoke(call: AdminCall, deps: AdminDeps): { readonly id: string } {
  const { id } = parsePart("query", revokeQuery, call.query);
  const isOwn = list(call, deps).items.some((token) => token.id === id);
  if (!isOwn || !deps.tokens.revoke(id))
    throw notFound(`join token ${id}`, "lateen token list shows the tokens");
  return { id };
}
