import * as z from "zod";
import type { FilesBody } from "../../mesh/admin-api/replies.ts";
import type { ParsedObject } from "../../mesh/model/object.ts";
import { type ParsedFiles, parseFiles } from "../../mesh/model/parse-files.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import type { AdminDeps } from "./ports.ts";
import { parsePart } from "./route.ts";

const filesBody = z.object({
  kind: z.literal("Files"),
  files: z.array(z.object({ name: z.string(), text: z.string() })).max(1000),
});

interface ReadObjects {
  readonly objects: readonly ParsedObject[];
  readonly violations: readonly LocatedViolation[];
}

/** The objects of a body: YAML or JSON documents, or several files of them. */
export function readObjects(
  body: string,
  defaultNamespace: string,
  deps: Pick<AdminDeps, "parseDocuments">,
): ReadObjects {
  const files = readFiles(body, { defaultNamespace }, deps);
  if (files === undefined) return deps.parseDocuments(body, { defaultNamespace });
  return { objects: files.objects.map(({ object }) => object), violations: files.violations };
}

/** The files of a body that has files, each with its objects; undefined for a body of another form. */
export function readFiles(
  body: string,
  options: { readonly defaultNamespace: string; readonly partial?: boolean },
  { parseDocuments }: Pick<AdminDeps, "parseDocuments">,
): ParsedFiles | undefined {
  const given = asFiles(body);
  if (given === undefined) return undefined;
  return parseFiles(parsePart("body", filesBody, given).files, options, parseDocuments);
}

function asFiles(body: string): unknown {
  if (!/^\s*\{/.test(body)) return undefined;
  try {
    const value = JSON.parse(body) as Partial<FilesBody> | null;
    return value?.kind === "Files" ? value : undefined;
  } catch {
    // YAML in flow style.
    return undefined;
  }
}
