import * as z from "zod";
import { type AnalysisMessage, type DiffReply, type List, listOf } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { ParsedFiles } from "../../mesh/model/parse-files.ts";
import { isUnparsable, schemaMessages, sorted } from "../analyze/analyze.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
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

const ask = { resource: "analysis", verb: "read", reach: "namespace" } as const;

/** Questions about configuration that is not applied: they change nothing, so reading is all that they need. */
export const whatIfRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/analysis", ...ask, handle: analysis },
  { method: "POST", path: "/v1/analysis", ...ask, handle: analysisOf },
  { method: "POST", path: "/v1/diff", ...ask, handle: diff },
];

async function analysis(call: AdminCall, deps: AdminDeps): Promise<List<AnalysisMessage>> {
  parsePart("query", nothing, call.query);
  const found = await deps.whatIf.analyze([], call.signal);
  return listOf(found.filter((message) => isOwn(message, call)));
}

async function analysisOf(call: AdminCall, deps: AdminDeps): Promise<List<AnalysisMessage>> {
  const { namespace } = parsePart("query", analysisQuery, call.query);
  const { objects, partial, violations } = filesOf(call, namespace, deps);
  if (violations.some(isUnparsable)) throw new InvalidObjects(violations);
  const found = await deps.whatIf.analyze([...objects, ...partial], call.signal);
  const all = [...schemaMessages(violations), ...found];
  return listOf(sorted(all.filter((message) => isOwn(message, call))));
}

/** By the namespace of what it is about: `Kind namespace/name`. */
function isOwn({ origin }: AnalysisMessage, { caller }: AdminCall): boolean {
  return holdsIn(caller, /^\S+ ([^/]+)\//.exec(origin)?.[1]);
}

async function diff(call: AdminCall, deps: AdminDeps): Promise<DiffReply> {
  const { namespace, verbose } = parsePart("query", diffQuery, call.query);
  const { objects, violations } = filesOf(call, namespace, deps);
  if (violations.some(({ severity }) => severity === "error")) throw new InvalidObjects(violations);
  const { objects: changed, workloads } = await deps.whatIf.diff(objects, { verbose, signal: call.signal });
  return {
    objects: changed.filter((one) => holdsIn(call.caller, one.namespace)),
    workloads: workloads.filter(({ workload }) => holdsIn(call.caller, workload.split("/", 1)[0])),
  };
}

/** The files of a body, all in namespaces that the caller has its role in. */
export function filesOf({ caller, body }: AdminCall, namespace: string, deps: AdminDeps): ParsedFiles {
  const files = readFiles(body, { defaultNamespace: namespace, partial: true }, deps);
  for (const { object } of [...(files?.objects ?? []), ...(files?.partial ?? [])])
    assertHoldsIn(caller, object.metadata.namespace);
  if (files !== undefined) return files;
  throw new MeshError("admin.request", "the body has no files", {
    hint: '{ "kind": "Files", "files": [{ "name": "a.yaml", "text": "…" }] }',
  });
}
