import { errorAt, type FieldPath, type Finding, warningAt } from "../../../mesh/model/finding.ts";
import type { ParsedObject } from "../../../mesh/model/object.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import { effectiveOperation, patchNotices } from "./operations.ts";
import { readValue, reasonOf } from "./read-value.ts";

/**
 * What is wrong with the patches of an EnvoyFilter, which its schema cannot say: values that are no messages of their
 * kind are errors; fields that are not known, and patches without effect, are warnings, as in Istio. Other objects have
 * nothing of the kind.
 */
export function checkEnvoyFilter(types: MessageTypes, object: ParsedObject): readonly Finding[] {
  if (!isEnvoyFilter(object)) return [];
  return object.spec.configPatches.flatMap((patch, index) => {
    const path: FieldPath = ["spec", "configPatches", index];
    const valuePath: FieldPath = [...path, "patch", "value"];
    const notices = patchNotices(patch).map((notice) => warningAt(path, notice));
    if (patch.applyTo === "BOOTSTRAP" || patch.value === undefined) return notices;
    try {
      const { unknown } = readValue(types, patch.applyTo, effectiveOperation(patch), patch.value);
      return unknown === undefined
        ? notices
        : [...notices, warningAt(valuePath, `is used in part: ${unknown}`)];
    } catch (error) {
      return [...notices, errorAt(valuePath, `is no ${patch.applyTo}: ${reasonOf(error)}`)];
    }
  });
}

function isEnvoyFilter(object: ParsedObject): object is ParsedObject<"EnvoyFilter"> {
  return object.kind === "EnvoyFilter";
}
