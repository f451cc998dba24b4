import * as z from "zod";
import type { AuthzSimulationReply, ObservedReply } from "../../mesh/admin-api/observed-replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { isKind } from "../../mesh/model/kinds.ts";
import { type ObjectKey, objectKey } from "../../mesh/model/object.ts";
import { KEPT_HOURS } from "../observed/call-history.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import { namespaceName } from "./fields.ts";
import type { AdminDeps } from "./ports.ts";
import { InvalidObjects } from "./problem.ts";
import { type AdminCall, type AdminRoute, parsePart } from "./route.ts";
import { filesOf } from "./what-if-routes.ts";

const DAY_MS = KEPT_HOURS * 3_600_000;
/** How far back, in milliseconds. */
const sinceMs = z.coerce.number().int().min(1000).max(DAY_MS).default(DAY_MS);
const workload = z.string().regex(/^[^/]+\/[^/]+$/, "must be namespace/name of a workload");

const observedQuery = z.strictObject({ sinceMs, to: workload.optional() });
const simulateQuery = z.strictObject({
  namespace: namespaceName.default("default"),
  sinceMs,
  /** `Kind/namespace/name`, with commas between several. */
  delete: z.string().max(65_536).default(""),
});

const ask = { resource: "analysis", verb: "read", reach: "namespace" } as const;

/** Calls that were seen, and what a draft of policies would make of them: nothing is sent or stored. */
export const observedRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/observed-calls", ...ask, handle: observed },
  { method: "POST", path: "/v1/authz/simulate", ...ask, handle: simulate },
];

function observed(call: AdminCall, deps: AdminDeps): ObservedReply {
  const { sinceMs: back, to } = parsePart("query", observedQuery, call.query);
  if (to !== undefined) assertHoldsIn(call.caller, to.split("/", 1)[0]);
  const reply = deps.authz.observed(deps.authz.now() - back, (namespace) => holdsIn(call.caller, namespace));
  return to === undefined ? reply : { ...reply, items: reply.items.filter((one) => one.to === to) };
}

async function simulate(call: AdminCall, deps: AdminDeps): Promise<AuthzSimulationReply> {
  const { namespace, sinceMs: back, delete: list } = parsePart("query", simulateQuery, call.query);
  const { objects, violations } = filesOf(call, namespace, deps);
  if (violations.some(({ severity }) => severity === "error")) throw new InvalidObjects(violations);
  const deleted = list === "" ? [] : list.split(",").map((text) => keyOf(text, call));
  return await deps.whatIf.simulate(objects, {
    deleted,
    sinceMs: deps.authz.now() - back,
    isSeen: (one) => holdsIn(call.caller, one),
    signal: call.signal,
  });
}

function keyOf(text: string, { caller }: AdminCall): ObjectKey {
  const [kind = "", namespace = "", name = "", ...rest] = text.split("/");
  if (!isKind(kind) || namespace === "" || name === "" || rest.length > 0) {
    throw new MeshError("admin.request", `${JSON.stringify(text)} is no object to delete`, {
      hint: "AuthorizationPolicy/default/deny-all",
    });
  }
  assertHoldsIn(caller, namespace);
  return objectKey(kind, namespace, name);
}
