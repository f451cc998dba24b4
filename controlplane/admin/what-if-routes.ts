import { z } from "zod";
import { type AnalysisMessage, type DiffReply, type List, listOf } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { ParsedFiles } from "../../mesh/model/parse-files.ts";
import { isUnparsable, schemaMessages, sorted } from "../analyze/analyze.ts";
import { flag, namespaceName } from "./fields.ts";
import type { AdminDeps } from "./ports.ts";
import { InvalidObjects } from "./problem.ts";
import { readFiles } from "./read-objects.ts";
import { type AdminCall, type AdminRoute, parsePart } from "./route.ts";

const nothing = z.strictObject({});
const analysisQuery = z.strictObject({ namespace: namespaceName.default("default") });
const diffQuery = z.strictObject({
  namespace: namespaceName.default("default"),
  verbose: flag.default(false),
});

/** Questions about configuration that is not applied: they change nothing, so reading is all that they need. */
export const whatIfRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/analysis", needs: "read", handle: analysis },
  { method: "POST", path: "/v1/analysis", needs: "read", handle: analysisOf },
  { method: "POST", path: "/v1/diff", needs: "read", handle: diff },
];

function analysis(call: AdminCall, deps: AdminDeps): List<AnalysisMessage> {
  parsePart("query", nothing, call.query);
  return listOf(deps.whatIf.analyze([]));
}

function analysisOf(call: AdminCall, deps: AdminDeps): List<AnalysisMessage> {
  const { namespace } = parsePart("query", analysisQuery, call.query);
  const { objects, violations } = filesOf(call, namespace, deps);
  if (violations.some(isUnparsable)) throw new InvalidObjects(violations);
  return listOf(sorted([...schemaMessages(violations), ...deps.whatIf.analyze(objects)]));
}

async function diff(call: AdminCall, deps: AdminDeps): Promise<DiffReply> {
  const { namespace, verbose } = parsePart("query", diffQuery, call.query);
  const { objects, violations } = filesOf(call, namespace, deps);
  if (violations.some(({ severity }) => severity === "error")) throw new InvalidObjects(violations);
  return await deps.whatIf.diff(objects, { verbose, signal: call.signal });
}

function filesOf({ body }: AdminCall, namespace: string, deps: AdminDeps): ParsedFiles {
  const files = readFiles(body, namespace, deps);
  if (files !== undefined) return files;
  throw new MeshError("admin.request", "the body has no files", {
    hint: '{ "kind": "Files", "files": [{ "name": "a.yaml", "text": "…" }] }',
  });
}
