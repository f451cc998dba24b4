import * as z from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { checkDryRun } from "./dry-run.ts";
import { checkExportTo } from "./export-to.ts";
import { errorAt, type Finding, formatPath, infoAt, quoted, warningAt } from "./finding.ts";
import { isForeign } from "./foreign-objects.ts";
import { isKind, KINDS, KINDS_NOT_YET, type KindDefinition } from "./kinds.ts";
import type { Kind, ObjectMeta, ParsedObject } from "./object.ts";
import { objectMeta, objectName, SERVER_SET_METADATA } from "./object-meta.schema.ts";
import { type Fields, isFields, plainDataProblem } from "./plain-data.ts";
import { regexCostProblem } from "./regex-cost.ts";
import { dnsLabel } from "./scalars.schema.ts";
import { reviewFields } from "./schema-notice.ts";
import { describeIssue, rule } from "./schema-rule.ts";
import type { Violation } from "./violation.ts";

export interface ParseObjectOptions {
  /** Namespace of objects that name none. */
  readonly defaultNamespace: string;
  /** Where objects of the whole mesh belong, beside `default`; left out: it is not known and not looked at. */
  readonly rootNamespace?: string;
}

export interface ParseObjectResult {
  /** Undefined when a violation is an error, and for an object that is not the mesh's. */
  readonly object: ParsedObject | undefined;
  readonly violations: readonly Violation[];
}

/** What is wrong with one object is told up to here; the rest is counted. */
const MOST_FINDINGS = 100;

/**
 * Reads one API object from data of any origin (a REST body, a decoded document). All violations are told at once;
 * unknown fields and fields that are not in force yet are warnings.
 */
export function parseObject(input: unknown, options: ParseObjectOptions): ParseObjectResult {
  const problem = plainDataProblem(input);
  const { object, findings } =
    problem === undefined ? checkObject(input, options) : { object: undefined, findings: [problem] };
  return { object, violations: findings.map(toViolation) };
}

export interface CheckedObject {
  readonly object: ParsedObject | undefined;
  readonly findings: readonly Finding[];
}

/** parseObject for plain and bounded data, with paths in parts. */
export function checkObject(input: unknown, options: ParseObjectOptions): CheckedObject {
  if (!isFields(input))
    return refuse(errorAt([], "must be an object with apiVersion, kind, metadata and spec"));
  const kindProblem = findKindProblem(input["kind"], input["apiVersion"]);
  if (kindProblem !== undefined) return refuse(meshConfigMapProblem(input) ?? kindProblem);
  const definition = KINDS[input["kind"] as Kind];
  const why = definition.notOurs?.(input);
  if (why !== undefined) return refuse(infoAt(["kind"], why));
  const document = definition.bare === true ? withSpec(input) : input;
  const costly = regexCostProblem(document["spec"]);
  if (costly !== undefined) return refuse(costly);
  const { value, findings } = checkFields(documentSchema(definition, options.defaultNamespace), document);
  const placed = definition.bare === true ? findings.map(withoutSpec) : findings;
  if (value === undefined) return { object: undefined, findings: placed };
  const { apiVersion, metadata, spec } = value;
  const misplaced = definition.meshWide === true ? namespaceProblem(metadata, options) : undefined;
  if (misplaced !== undefined) return { object: undefined, findings: [misplaced, ...placed] };
  const written = asWritten(input, metadata);
  return { object: { apiVersion, kind: definition.kind, metadata, spec, written }, findings: placed };
}

interface CheckedFields<T> {
  /** Undefined when a finding is an error. */
  readonly value: T | undefined;
  readonly findings: readonly Finding[];
}

/** Parses plain data by a schema, and tells everything that is wrong with it or deserves a warning. */
export function checkFields<T>(schema: z.ZodType<T>, input: unknown): CheckedFields<T> {
  const parsed = schema.safeParse(input, { error: describeIssue, reportInput: true });
  const errors = parsed.success ? [] : parsed.error.issues.map(toFinding);
  return { value: parsed.data, findings: limited([...errors, ...reviewFields(schema, input)]) };
}

export function toViolation({ path, message, severity }: Finding): Violation {
  return { path: formatPath(path), message, severity };
}

interface Document {
  readonly apiVersion: string;
  readonly metadata: ObjectMeta;
  readonly spec: ParsedObject["spec"];
}

const schemas = new WeakMap<
  KindDefinition,
  { readonly namespace: string; readonly schema: z.ZodType<Document> }
>();

/** Schemas are costly to make, and nearly all calls have the same default namespace. */
function documentSchema(definition: KindDefinition, namespace: string): z.ZodType<Document> {
  const known = schemas.get(definition);
  if (known?.namespace === namespace) return known.schema;
  const spec: z.ZodType<ParsedObject["spec"]> = definition.spec;
  const schema = z
    .object({
      apiVersion: z.enum(definition.apiVersions as [string, ...string[]]),
      kind: z.literal(definition.kind),
      metadata: objectMeta(namespace, definition.nameIsLabel === true ? dnsLabel : objectName),
      spec: spec.prefault({}),
      status: z.unknown().optional(),
    })
    .check(
      rule(["metadata", "spec"], ({ metadata, spec }, report) =>
        checkExportTo(spec, metadata.namespace, (path, message) => report(["spec", ...path], message)),
      ),
      rule(["metadata", "spec"], ({ metadata, spec }, report) =>
        checkDryRun(definition.kind, metadata, spec, report),
      ),
    );
  schemas.set(definition, { namespace, schema });
  return schema;
}

/** A document whose fields stand beside `metadata`, in the form that all others have. */
function withSpec({ apiVersion, kind, metadata, ...spec }: Fields): Fields {
  return { apiVersion, kind, metadata, spec };
}

function withoutSpec(finding: Finding): Finding {
  return finding.path[0] === "spec" ? { ...finding, path: finding.path.slice(1) } : finding;
}

function namespaceProblem(
  { namespace }: ObjectMeta,
  { rootNamespace }: ParseObjectOptions,
): Finding | undefined {
  if (rootNamespace === undefined || namespace === rootNamespace || namespace === "default") return undefined;
  const message = `must be ${rootNamespace}, the root namespace, or default: it is for the whole mesh`;
  return errorAt(["metadata", "namespace"], message);
}

const GATEWAY_API = "gateway.networking.k8s.io/";

function findKindProblem(kind: unknown, apiVersion: unknown): Finding | undefined {
  if (kind === undefined) return errorAt(["kind"], "is required");
  if (typeof kind !== "string") return errorAt(["kind"], "must be a string");
  const known = Object.keys(KINDS);
  const named = [...known, ...KINDS_NOT_YET];
  if (isForeign(apiVersion, kind, named)) {
    const message = `${kind} of ${String(apiVersion)} is not the mesh's: passed over`;
    // Who writes a Gateway of another product knows it; who misspells its group should.
    return named.includes(kind) ? warningAt(["kind"], message) : infoAt(["kind"], message);
  }
  if (String(apiVersion).startsWith(GATEWAY_API))
    return errorAt(["kind"], `${quoted(kind)} of the Gateway API is not supported yet`);
  if (isKind(kind)) return undefined;
  if (KINDS_NOT_YET.includes(kind)) return errorAt(["kind"], `${kind} is not supported yet`);
  const hint = didYouMean(kind, known) || `: the kinds are ${known.join(", ")}`;
  return errorAt(["kind"], `${quoted(kind)} is not a kind that Lateen knows${hint}`);
}

/** Who brings Istio's own settings along expects them to be in force. */
function meshConfigMapProblem(input: Fields): Finding | undefined {
  const { apiVersion, kind, data } = input;
  if (apiVersion !== "v1" || kind !== "ConfigMap" || !isFields(data) || typeof data["mesh"] !== "string")
    return undefined;
  const message =
    "Istio's mesh configuration counts as --mesh-config or in an object of kind MeshConfig; here it is passed over";
  return warningAt(["data", "mesh"], message);
}

function toFinding(issue: z.core.$ZodIssue): Finding {
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  return errorAt(path, issue.message);
}

/** Errors come before warnings, so what is cut off is what matters least. */
function limited(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length <= MOST_FINDINGS) return findings;
  const rest = findings.length - MOST_FINDINGS;
  const severity = findings.at(MOST_FINDINGS)?.severity ?? "error";
  return [
    ...findings.slice(0, MOST_FINDINGS),
    { path: [], message: `and ${rest} more violations`, severity },
  ];
}

/** Without an object: for an error, or because it is not ours. */
function refuse(finding: Finding): CheckedObject {
  return { object: undefined, findings: [finding] };
}

/** The document without what a server sets, and with its namespace, so that it means the same wherever it is applied. */
function asWritten(input: Fields, metadata: ObjectMeta): Fields {
  const { status: _, ...document } = input;
  const written = isFields(input["metadata"]) ? input["metadata"] : {};
  const kept = Object.entries(written).filter(([key]) => !SERVER_SET_METADATA.includes(key));
  const { name, ...others } = Object.fromEntries(kept);
  return { ...document, metadata: { name, namespace: metadata.namespace, ...others } };
}
