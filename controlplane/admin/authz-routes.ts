import * as z from "zod";
import { type AuthzReply, type List, listOf } from "../../mesh/admin-api/replies.ts";
import type { AuthzQuestion } from "../simulate/authz-call.ts";
import { parseQuestion } from "../simulate/call-question.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, parseJsonBody } from "./route.ts";

const text = z.string().min(1).max(65_536);
const workload = z.string().regex(/^[^/]+\/[^/]+$/, "must be namespace/name of a workload");

const question = {
  to: workload,
  port: z.number().int().min(1).max(65_535).optional(),
  method: text.default("GET"),
  path: text.default("/"),
  /** `name: value`. They are in the body because a token may be among them. */
  headers: z.array(text).max(100).default([]),
};

const checkBody = z.strictObject({
  ...question,
  from: workload.or(z.literal("outside")).or(z.string().regex(/^spiffe:\/\/[^/]+\/.+$/)),
});
const whoBody = z.strictObject(question);

const ask = { resource: "analysis", verb: "read", reach: "namespace" } as const;

/** Who may call whom: nothing is sent. */
export const authzRoutes: readonly AdminRoute[] = [
  { method: "POST", path: "/v1/authz/check", ...ask, handle: check },
  { method: "POST", path: "/v1/authz/who", ...ask, handle: who },
];

function check(call: AdminCall, deps: AdminDeps): AuthzReply {
  const asked = parseJsonBody(checkBody, call.body);
  assertHoldsIn(call.caller, namespaceOf(asked.to));
  if (isWorkload(asked.from)) assertHoldsIn(call.caller, namespaceOf(asked.from));
  return deps.authz.check(asked.from, asked.to, questionOf(asked, deps));
}

/** Callers of namespaces that the asker knows nothing of are not told. */
function who(call: AdminCall, deps: AdminDeps): List<AuthzReply> {
  const asked = parseJsonBody(whoBody, call.body);
  assertHoldsIn(call.caller, namespaceOf(asked.to));
  const all = deps.authz.who(asked.to, questionOf(asked, deps));
  return listOf(all.filter(({ from }) => !isWorkload(from) || holdsIn(call.caller, namespaceOf(from))));
}

function questionOf(asked: z.output<typeof whoBody>, { authz }: AdminDeps): AuthzQuestion {
  const { method, headers } = parseQuestion({ to: "", method: asked.method, headers: asked.headers });
  return { port: asked.port, method, path: asked.path, headers, nowMs: authz.now() };
}

function isWorkload(from: string): boolean {
  return /^[^/]+\/[^/]+$/.test(from);
}

function namespaceOf(id: string): string | undefined {
  return id.split("/", 1)[0];
}
