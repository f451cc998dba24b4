import * as z from "zod";
import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { parseQuestion } from "../simulate/call-question.ts";
import { assertHoldsIn } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, notFound, parsePart } from "./route.ts";

const text = z.string().min(1).max(8_192);

const explainQuery = z.strictObject({
  from: z.string().regex(/^[^/]+\/[^/]+$/, "must be namespace/name of a workload"),
  to: text,
  method: text.default("GET"),
  // A query with one header gives a text, one with several a list.
  header: z
    .preprocess((value) => (typeof value === "string" ? [value] : value), z.array(text).max(100))
    .default([]),
});

/** Questions about calls: nothing is sent. */
export const explainRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/v1/explain",
    resource: "analysis",
    verb: "read",
    reach: "namespace",
    handle: explain,
  },
];

function explain(call: AdminCall, deps: AdminDeps): ExplainReply {
  const { from, to, method, header: headers } = parsePart("query", explainQuery, call.query);
  assertHoldsIn(call.caller, from.split("/", 1)[0]);
  const reply = deps.explain(from, parseQuestion({ to, method, headers }));
  if (reply === undefined) {
    throw notFound(`workload ${from}`, "lateen get workloads -A lists what agents registered");
  }
  return reply;
}
