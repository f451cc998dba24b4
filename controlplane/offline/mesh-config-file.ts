import { LineCounter, parseDocument } from "yaml";
import { errorAt, type FieldPath, type Finding } from "../../mesh/model/finding.ts";
import type { MeshConfigSpec } from "../../mesh/model/mesh-config.ts";
import type { SourceFile } from "../../mesh/model/parse-files.ts";
import { checkObject, toViolation } from "../../mesh/model/parse-object.ts";
import { isFields } from "../../mesh/model/plain-data.ts";
import type { LocatedViolation } from "../../mesh/model/violation.ts";
import { offsetOf, toPlainDocument } from "../../mesh/model/yaml-tree.ts";

export interface MeshConfigFile {
  /** Undefined when the file cannot be used: then a violation says why. */
  readonly spec: MeshConfigSpec | undefined;
  readonly violations: readonly LocatedViolation[];
}

/** What is written around a MeshConfig, and where in it the fields are. */
interface Wrapped {
  readonly fields: unknown;
  readonly at: FieldPath;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what `--mesh-config` names: the fields alone (Istio's `mesh.yaml`), a MeshConfig document, or the ConfigMap
 * `istio` with the fields as text under `data.mesh` and the networks under `data.meshNetworks`.
 */
export function parseMeshConfigFile(file: SourceFile): MeshConfigFile {
  const reader = new YamlReader(file);
  const value = reader.read(file.text);
  if (value === undefined) return { spec: undefined, violations: reader.violations };
  const { fields, at } = unwrap(value, reader);
  if (!isFields(fields)) {
    reader.tell(errorAt(at, "must be a mapping with the fields of a MeshConfig"));
    return { spec: undefined, violations: reader.violations };
  }
  const document = {
    apiVersion: "mesh.istio.io/v1alpha1",
    kind: "MeshConfig",
    metadata: { name: "mesh" },
    spec: fields,
  };
  const { object, findings } = checkObject(document, { defaultNamespace: "istio-system" });
  for (const { path, ...rest } of findings) {
    reader.tell({ ...rest, path: [...at, ...(path[0] === "spec" ? path.slice(1) : path)] });
  }
  const refused = reader.violations.some(({ severity }) => severity === "error");
  return {
    spec: refused || object === undefined ? undefined : (object.spec as MeshConfigSpec),
    violations: reader.violations,
  };
}

function unwrap(value: unknown, reader: YamlReader): Wrapped {
  if (!isFields(value)) return { fields: value, at: [] };
  if (value["kind"] === "MeshConfig" && "spec" in value) return { fields: value["spec"], at: ["spec"] };
  if (value["kind"] !== "ConfigMap") return { fields: value ?? {}, at: [] };
  const data: Fields = isFields(value["data"]) ? value["data"] : {};
  const mesh = inner(data["mesh"], "mesh", reader);
  const networks = inner(data["meshNetworks"], "meshNetworks", reader);
  const added = isFields(networks) ? networks : {};
  return { fields: isFields(mesh) ? { ...mesh, ...added } : mesh, at: ["data", "mesh"] };
}

/** A text in the text: what is wrong in it is told at the line of its field. */
function inner(text: unknown, field: string, reader: YamlReader): unknown {
  if (text === undefined || text === "") return {};
  if (typeof text === "string") return reader.read(text, ["data", field]);
  reader.tell(errorAt(["data", field], "must be a text"));
  return undefined;
}

class YamlReader {
  readonly violations: LocatedViolation[] = [];
  readonly #file: string;
  readonly #lines = new LineCounter();
  #lineOf: (path: FieldPath) => number = () => 0;

  constructor({ name }: SourceFile) {
    this.#file = name;
  }

  /** The first call is for the file itself: lines are counted in it. Undefined when it is not plain YAML. */
  read(text: string, at: FieldPath = []): unknown {
    const own = at.length === 0;
    const document = parseDocument(text, {
      uniqueKeys: false,
      logLevel: "silent",
      prettyErrors: false,
      ...(own ? { lineCounter: this.#lines } : {}),
    });
    if (own) this.#lineOf = (path) => this.#line(offsetOf(document, path));
    const [broken] = [...document.errors, ...document.warnings];
    if (broken !== undefined) {
      const line = own ? this.#line(broken.pos[0]) : this.#lineOf(at);
      this.tell(errorAt(at, `is not valid YAML: ${broken.message}`), line);
      return undefined;
    }
    const { value, findings } = toPlainDocument(document);
    for (const finding of findings) this.tell({ ...finding, path: [...at, ...finding.path] });
    return findings.length > 0 ? undefined : (value ?? {});
  }

  tell(finding: Finding, line: number = this.#lineOf(finding.path)): void {
    this.violations.push({
      ...toViolation(finding),
      file: this.#file,
      document: 0,
      kind: "MeshConfig",
      namespace: "",
      name: "",
      line,
    });
  }

  #line(offset: number | undefined): number {
    return offset === undefined ? 0 : this.#lines.linePos(offset).line;
  }
}
