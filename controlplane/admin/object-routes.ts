import * as z from "zod";
import {
  type ApplyReply,
  type DeleteReply,
  type List,
  listOf,
  type Notice,
  type ObjectReply,
} from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { KINDS } from "../../mesh/model/kinds.ts";
import {
  type Kind,
  type ObjectKey,
  objectKey,
  type ParsedObject,
  type StoredObject,
} from "../../mesh/model/object.ts";
import { shownDocument } from "../../mesh/model/secret-redaction.ts";
import type { PublishWarning } from "../snapshot/publish-report.ts";
import { keyOf } from "../store/apply-plan.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import { flag, namespaceName } from "./fields.ts";
import type { AdminDeps } from "./ports.ts";
import { InvalidObjects } from "./problem.ts";
import { readObjects } from "./read-objects.ts";
import { type AdminCall, type AdminRoute, notFound, parsePart } from "./route.ts";

/** Objects of the API belong to this origin; those of the watched directory to their file. */
const ORIGIN = "api";

/** How long an answer waits for its change to be published; the change itself is stored by then. */
const PUBLISH_WAIT_MS = 5_000;

const applyQuery = z.strictObject({
  dryRun: flag.default(false),
  strict: flag.default(false),
  namespace: namespaceName.default("default"),
});
const listQuery = z.strictObject({ namespace: namespaceName.optional() });
const kindPath = z.object({ kind: z.string() });
const objectPath = z.object({ kind: z.string(), namespace: namespaceName, name: namespaceName });

const see = { resource: "objects", verb: "read", reach: "namespace" } as const;
const change = { resource: "objects", verb: "write", reach: "namespace" } as const;

export const objectRoutes: readonly AdminRoute[] = [
  { method: "POST", path: "/v1/apply", ...change, handle: apply, audited: appliedFields },
  { method: "GET", path: "/v1/objects/:kind", ...see, handle: list },
  { method: "GET", path: "/v1/objects/:kind/:namespace/:name", ...see, handle: get },
  { method: "DELETE", path: "/v1/objects/:kind/:namespace/:name", ...change, handle: remove },
];

async function apply(call: AdminCall, deps: AdminDeps): Promise<ApplyReply> {
  const { dryRun, strict, namespace } = parsePart("query", applyQuery, call.query);
  const { objects, violations } = readObjects(call.body, namespace, deps);
  if (violations.some(({ severity }) => severity === "error" || (strict && severity === "warning")))
    throw new InvalidObjects(violations);
  if (objects.length === 0) {
    throw new MeshError("admin.request", "the body has no object of the mesh's", {
      hint: "send YAML or JSON documents with apiVersion, kind, metadata and spec",
    });
  }
  for (const { metadata } of objects) assertHoldsIn(call.caller, metadata.namespace);
  const applied = deps.store.apply(objects, { origin: ORIGIN, dryRun });
  const published: { readonly snapshot?: number } = dryRun ? {} : await publication(call, deps);
  return {
    dryRun,
    objects: applied.map(({ object, outcome }) => ({ ...identityOf(object), outcome })),
    violations,
    ...published,
    notices: published.snapshot === undefined ? [] : noticesOf(objects, deps.warnings()),
  };
}

function appliedFields({ objects }: ApplyReply): Readonly<Record<string, unknown>> {
  return {
    objects: objects.map(({ kind, namespace, name, outcome }) => `${kind} ${namespace}/${name} ${outcome}`),
  };
}

function noticesOf(objects: readonly ParsedObject[], warnings: readonly PublishWarning[]): readonly Notice[] {
  const byKey = new Map<string, ParsedObject>(objects.map((object) => [keyOf(object), object]));
  return warnings.flatMap(({ subject, message }) => {
    const object = byKey.get(subject);
    return object === undefined ? [] : [{ ...identityOf(object), message }];
  });
}

function list(call: AdminCall, deps: AdminDeps): List<ObjectReply> {
  const kind = parseKind(parsePart("path", kindPath, call.params).kind);
  const { namespace } = parsePart("query", listQuery, call.query);
  const found = deps.store.list({ kind, ...(namespace === undefined ? {} : { namespace }) });
  return listOf(found.filter(({ metadata }) => holdsIn(call.caller, metadata.namespace)).map(toReply));
}

function get(call: AdminCall, deps: AdminDeps): ObjectReply {
  const { key, label } = parseKey(call);
  const found = deps.store.get(key);
  if (found === undefined) throw notFoundObject(label);
  return toReply(found);
}

async function remove(call: AdminCall, deps: AdminDeps): Promise<DeleteReply> {
  const { key, label } = parseKey(call);
  const found = deps.store.get(key);
  if (found === undefined || !deps.store.delete(key, { origin: ORIGIN })) throw notFoundObject(label);
  return { ...identityOf(found), ...(await publication(call, deps)) };
}

async function publication(call: AdminCall, deps: AdminDeps): Promise<{ readonly snapshot?: number }> {
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(PUBLISH_WAIT_MS)]);
  const snapshot = await deps.sync.snapshotWith(deps.store.revision, signal);
  return snapshot === undefined ? {} : { snapshot };
}

function parseKey(call: AdminCall): { readonly key: ObjectKey; readonly label: string } {
  const path = parsePart("path", objectPath, call.params);
  assertHoldsIn(call.caller, path.namespace);
  const kind = parseKind(path.kind);
  return {
    key: objectKey(kind, path.namespace, path.name),
    label: `${kind} ${path.namespace}/${path.name}`,
  };
}

function parseKind(text: string): Kind {
  const kinds = Object.keys(KINDS) as Kind[];
  const kind = kinds.find((kind) => kind.toLowerCase() === text.toLowerCase());
  if (kind === undefined) throw notFound(`kind ${JSON.stringify(text)}`, `the kinds are ${kinds.join(", ")}`);
  return kind;
}

function notFoundObject(label: string): MeshError {
  return new MeshError("object.not-found", `${label} does not exist`, {
    hint: "lateen get <kind> -A lists what there is",
  });
}

function identityOf({ kind, metadata }: ParsedObject): {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
} {
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

function toReply(object: StoredObject): ObjectReply {
  const shown = shownDocument(object);
  const written = shown["metadata"];
  const metadata = {
    ...(typeof written === "object" ? written : {}),
    name: object.metadata.name,
    namespace: object.metadata.namespace,
  };
  return {
    ...identityOf(object),
    object: { ...shown, metadata },
    createdAt: new Date(object.createdAt).toISOString(),
    revision: object.revision,
    origin: object.origin,
  };
}
