import { MeshError } from "../../../mesh/errors.ts";
import type { SourceFile } from "../../../mesh/model/parse-files.ts";

/** The entries of a file: one as JSON, or an array of them. Throws `object.invalid` for HCL and all else. */
export function entriesOfFile({ name, text }: SourceFile): readonly unknown[] {
  const parsed = parseJson(name, text);
  return Array.isArray(parsed) ? parsed : [parsed];
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const hcl = /^\s*(?:#.*\n|\/\/.*\n|\s)*[A-Za-z_]\w*\s*(?:=|\{)/.test(text);
    throw new MeshError("object.invalid", `read ${name}: ${hcl ? "it is HCL, not JSON" : "it is not JSON"}`, {
      hint: "consul config read -kind KIND -name NAME > entry.json prints an entry as JSON",
      cause: error,
    });
  }
}
