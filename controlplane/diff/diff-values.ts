import { isDeepStrictEqual } from "node:util";
import type { FieldChange } from "../../mesh/admin-api/replies.ts";
import { type FieldPath, formatPath } from "../../mesh/model/finding.ts";
import { isFields } from "../../mesh/model/plain-data.ts";

/** The fields in which two values of JSON differ, as deep as both have them, in the order of the first and then the second. */
export function diffValues(before: unknown, after: unknown, path: FieldPath = []): readonly FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isFields(before) && isFields(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diffValues(before[key], after[key], [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) =>
      diffValues(before[index], after[index], [...path, index]),
    ).flat();
  }
  return [
    {
      path: formatPath(path),
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}
