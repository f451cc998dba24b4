import * as z from "zod";
import type { BanReply, CaReply } from "../../mesh/admin-api/ca-replies.ts";
import { type List, listOf } from "../../mesh/admin-api/replies.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, namedIn, parseJsonBody, parsePart } from "./route.ts";

const prepareBody = z.strictObject({ walk: z.boolean().default(false) });
const stepBody = z.strictObject({
  step: z.enum(["activate", "taint", "revoke", "abort"]),
  force: z.boolean().default(false),
});
const target = {
  kind: z.enum(["serial", "identity", "host"]),
  value: z.string().min(1).max(2048),
};
const banBody = z.strictObject({ ...target, reason: z.string().max(500).default("") });
const banQuery = z.strictObject(target);

const seeCa = { resource: "ca", verb: "read", reach: "mesh" } as const;
const changeCa = { resource: "ca", verb: "write", reach: "mesh" } as const;
const seeBans = { resource: "agents", verb: "read", reach: "mesh" } as const;
const changeBans = { resource: "agents", verb: "write", reach: "mesh" } as const;

/** The CA's rotation, and who is banned. */
export const caRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/ca", ...seeCa, handle: (_call, deps) => deps.ca.status() },
  // No secret, and what a client of this very API verifies it with.
  {
    method: "GET",
    path: "/v1/ca/roots",
    resource: "catalog",
    verb: "read",
    reach: "any",
    handle: (_call, deps) => ({ roots: deps.ca.roots() }),
  },
  {
    method: "POST",
    path: "/v1/ca/prepare",
    ...changeCa,
    handle: prepare,
    about: (body) => namedIn(body, ["walk"]),
    audited: caFields,
  },
  {
    method: "POST",
    path: "/v1/ca/step",
    ...changeCa,
    handle: step,
    about: (body) => namedIn(body, ["step", "force"]),
    audited: caFields,
  },
  { method: "GET", path: "/v1/bans", ...seeBans, handle: listBans },
  {
    method: "POST",
    path: "/v1/bans",
    ...changeBans,
    handle: ban,
    about: (body) => namedIn(body, ["kind", "value", "reason"]),
    audited: banFields,
  },
  { method: "DELETE", path: "/v1/bans", ...changeBans, handle: unban },
];

async function prepare(call: AdminCall, deps: AdminDeps): Promise<CaReply> {
  await deps.ca.prepare(parseJsonBody(prepareBody, call.body).walk, call.signal);
  return deps.ca.status();
}

async function step(call: AdminCall, deps: AdminDeps): Promise<CaReply> {
  const { step, force } = parseJsonBody(stepBody, call.body);
  await deps.ca.step(step, force);
  return deps.ca.status();
}

function caFields({ bundle, authorities }: CaReply): Readonly<Record<string, unknown>> {
  return { bundle, authorities: authorities.map(({ id, state }) => ({ id, state })) };
}

function banFields({ items }: List<BanReply>): Readonly<Record<string, unknown>> {
  return { bans: items.map(({ kind, value, reason }) => ({ kind, value, reason })) };
}

function listBans(_call: AdminCall, deps: AdminDeps): List<BanReply> {
  return listOf(deps.bans.list());
}

function ban(call: AdminCall, deps: AdminDeps): List<BanReply> {
  const { reason, ...named } = parseJsonBody(banBody, call.body);
  return listOf(deps.bans.ban(named, reason));
}

function unban(call: AdminCall, deps: AdminDeps): { readonly lifted: number } {
  return { lifted: deps.bans.unban(parsePart("query", banQuery, call.query)) };
}
