import type * as z from "zod";
import { errorAt, type FieldPath, type Finding, formatPath } from "./finding.ts";
import { meshConfigSpec } from "./mesh-config.schema.ts";
import type { MeshConfigSpec } from "./mesh-config.ts";
import { meshNetworks } from "./mesh-networks.schema.ts";
import { checkFields, checkObject } from "./parse-object.ts";
import { isFields } from "./plain-data.ts";
import type { LocatedViolation } from "./violation.ts";
import { type LocatedFinding, readYamlDocuments, type YamlDocument } from "./yaml-documents.ts";

export interface ParsedMeshConfig {
  /** Undefined when a violation is an error. */
  readonly config: MeshConfigSpec | undefined;
  readonly violations: readonly LocatedViolation[];
}

interface Read<T> {
  readonly value: T | undefined;
  readonly findings: readonly LocatedFinding[];
}

/**
 * Reads mesh-wide settings in each form in which Istio's users have them: the bare MeshConfig (`mesh.yaml`), a document
 * of kind MeshConfig, or the ConfigMap `istio` with `data.mesh` and `data.meshNetworks`. An empty text is the defaults.
 */
export function parseMeshConfigText(text: string, file: string): ParsedMeshConfig {
  const { value, findings } = readOne(text, readForm);
  const failed = findings.some(({ severity }) => severity === "error");
  return {
    config: failed ? undefined : value,
    violations: findings.map(({ path, message, severity, line }) => ({
      file,
      document: 0,
      kind: "MeshConfig",
      namespace: "",
      name: "",
      path: formatPath(path),
      line,
      message,
      severity,
    })),
  };
}

/** The one document of a text; nothing at all reads like an empty mapping. */
function readOne<T>(
  text: string,
  read: (value: unknown, document: Pick<YamlDocument, "lineOf" | "textLineOf">) => Read<T>,
): Read<T> {
  const documents = [...readYamlDocuments(text)];
  const [document, second] = documents.filter(
    ({ value, findings }) => value !== undefined || findings.length > 0,
  );
  if (document === undefined) return read({}, { lineOf: () => 0, textLineOf: () => undefined });
  if (document.findings.length > 0) return { value: undefined, findings: document.findings };
  const { value, findings } = read(document.value, document);
  if (second === undefined) return { value, findings };
  const extra = { ...errorAt([], "is a second document: there must be only one"), line: second.lineOf([]) };
  return { value, findings: [...findings, extra] };
}

function readForm(
  value: unknown,
  document: Pick<YamlDocument, "lineOf" | "textLineOf">,
): Read<MeshConfigSpec> {
  const kind = isFields(value) ? value["kind"] : undefined;
  if (kind === undefined) return located(checkFields(meshConfigSpec, value), document);
  if (isFields(value) && kind === "ConfigMap") return readConfigMap(value["data"], document);
  if (kind !== "MeshConfig")
    return refuse(["kind"], "must be MeshConfig or ConfigMap; a bare MeshConfig has no kind", document);
  const { object, findings } = checkObject(value, { defaultNamespace: "default" });
  return located({ value: object?.spec as MeshConfigSpec | undefined, findings }, document);
}

function readConfigMap(
  data: unknown,
  document: Pick<YamlDocument, "lineOf" | "textLineOf">,
): Read<MeshConfigSpec> {
  if (!isFields(data) || typeof data["mesh"] !== "string")
    return refuse(["data", "mesh"], "is required in a ConfigMap: the text of a MeshConfig", document);
  const mesh = readText(data["mesh"], ["data", "mesh"], meshConfigSpec, document);
  const { meshNetworks: text = "" } = data;
  if (typeof text !== "string") return refuse(["data", "meshNetworks"], "must be a text", document);
  const networks = readText(text, ["data", "meshNetworks"], meshNetworks, document);
  return {
    value: mesh.value && { ...mesh.value, networks: { ...mesh.value.networks, ...networks.value } },
    findings: [...mesh.findings, ...networks.findings],
  };
}

/** YAML in a string of YAML: paths and lines are those of the whole. */
function readText<T>(
  text: string,
  path: FieldPath,
  schema: z.ZodType<T>,
  outer: Pick<YamlDocument, "lineOf" | "textLineOf">,
): Read<T> {
  const { value, findings } = readOne(text, (inner, document) =>
    located(checkFields(schema, inner), document),
  );
  const begin = outer.textLineOf(path);
  return {
    value,
    findings: findings.map((finding) => ({
      ...finding,
      path: [...path, ...finding.path],
      line: begin === undefined || finding.line === 0 ? outer.lineOf(path) : begin + finding.line - 1,
    })),
  };
}

function located<T>(
  { value, findings }: { readonly value: T | undefined; readonly findings: readonly Finding[] },
  document: Pick<YamlDocument, "lineOf">,
): Read<T> {
  return {
    value,
    findings: findings.map((finding) => ({ ...finding, line: document.lineOf(finding.path) })),
  };
}

function refuse(path: FieldPath, message: string, document: Pick<YamlDocument, "lineOf">): Read<never> {
  return { value: undefined, findings: [{ ...errorAt(path, message), line: document.lineOf(path) }] };
}
