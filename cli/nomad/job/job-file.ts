import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { FieldPath } from "../../../mesh/model/finding.ts";
import { isRecord, type JsonRecord } from "./fields.ts";
import { parseJson } from "./lossless-json.ts";

export interface JobFile {
  /** Not looked into yet. */
  readonly job: unknown;
  /** Where it is in the file. */
  readonly path: FieldPath;
  /** The file with another job in its place. */
  readonly whole: (job: JsonRecord) => JsonRecord;
}

/** `{"Job": {…}}`, or the job alone: Nomad takes both. Throws `object.invalid`. */
export function parseJobFile(text: string, name: string): JobFile {
  const file = parseText(text, name);
  if (!isRecord(file)) {
    throw new MeshError("object.invalid", `read the job of ${name}: it must be an object`);
  }
  if (!isRecord(file["Job"])) return { job: file, path: [], whole: (job) => job };
  return { job: file["Job"], path: ["Job"], whole: (job) => ({ ...file, Job: job }) };
}

function parseText(text: string, name: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new MeshError("object.invalid", `read the job of ${name}: ${messageOf(cause)}`, {
      cause,
      hint: "it must be JSON: nomad job run -output app.nomad.hcl | lateen nomad inject -",
    });
  }
}
