import * as z from "zod";
import type { AuditReply } from "../../mesh/admin-api/replies.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, parsePart } from "./route.ts";

const tailQuery = z.strictObject({ count: z.coerce.number().int().min(1).max(1_000).default(50) });

export const auditRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/audit", resource: "audit", verb: "read", reach: "mesh", handle: tail },
];

async function tail(call: AdminCall, deps: AdminDeps): Promise<AuditReply> {
  const { count } = parsePart("query", tailQuery, call.query);
  return await deps.audit.tail(count);
}
