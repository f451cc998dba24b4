import type { FieldPath } from "../../mesh/model/finding.ts";
import type { Code } from "./codes.ts";
import type { MeshFacts } from "./mesh-facts.ts";

export const SEVERITIES = ["Info", "Warning", "Error"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a finding is about: an object, or a workload or service that somebody registered. */
export interface Subject {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
}

/** What an analyzer has to tell. */
export interface Finding {
  readonly code: Code;
  readonly subject: Subject;
  /** The field as its author wrote it; empty for the whole object. */
  readonly path: FieldPath;
  readonly message: string;
}

/** Looks at a whole mesh and tells what objects, each valid by itself, get wrong together. Pure. */
export type Analyzer = (mesh: MeshFacts) => Iterable<Finding>;

/** `Kind namespace/name`. */
export function originOf({ kind, metadata }: Subject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

/** `namespace/name`, as messages name a second object. */
export function nameOf({ metadata }: Subject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
