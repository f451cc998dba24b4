import type { ParsedObject } from "./object.ts";
import { type Fields, isFields } from "./plain-data.ts";

/** What stands where a secret is: no base64, so that it cannot be applied by mistake. */
export const REDACTED = "<redacted>";

/** kubectl keeps the whole object in it, secrets and all. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The document as its author wrote it, without the secrets of a Secret: the only form in which it is shown. */
export function shownDocument({ kind, written }: Pick<ParsedObject, "kind" | "written">): Fields {
  if (kind !== "Secret") return written;
  const hidden = ["data", "stringData"].flatMap((field) => {
    const values = written[field];
    return isFields(values) ? [[field, redactValues(values)] as const] : [];
  });
  return { ...written, ...Object.fromEntries(hidden), metadata: redactMetadata(written["metadata"]) };
}

function redactMetadata(metadata: unknown): unknown {
  if (!isFields(metadata) || !isFields(metadata["annotations"])) return metadata;
  const { annotations } = metadata;
  if (!Object.hasOwn(annotations, LAST_APPLIED)) return metadata;
  return { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: REDACTED } };
}

function redactValues(values: Fields): Fields {
  return Object.fromEntries(Object.keys(values).map((key) => [key, REDACTED]));
}
