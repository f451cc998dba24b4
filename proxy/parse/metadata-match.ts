import type { MetadataMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/metadata.ts";
import type { ValueMatcher } from "../../mesh/xds/gen/envoy/type/matcher/v3/value.ts";
import type { MetadataMatch, ValueMatch } from "../model/metadata.ts";
import { parseStringMatch } from "./match.ts";
import { invalid, required, unsupported } from "./refuse.ts";

const DEEPEST = 8;

export function parseMetadataMatch(parent: string, from: MetadataMatcher): MetadataMatch {
  const where = `${parent}: metadata of "${from.filter}"`;
  return {
    filter: from.filter,
    path: from.path.map(({ key }) => required(where, "key", key)),
    value: parseValueMatch(where, required(where, "value", from.value), 0),
    invert: from.invert,
  };
}

function parseValueMatch(where: string, from: ValueMatcher, depth: number): ValueMatch {
  if (depth > DEEPEST) throw invalid(where, `values are nested more than ${DEEPEST} deep`);
  if (from.stringMatch) return { kind: "string", match: parseStringMatch(where, from.stringMatch) };
  if (from.boolMatch !== undefined) return { kind: "bool", value: from.boolMatch };
  if (from.nullMatch) return { kind: "null" };
  if (from.presentMatch !== undefined) return { kind: "present", present: from.presentMatch };
  if (from.orMatch) {
    const values = from.orMatch.valueMatchers.map((one) => parseValueMatch(where, one, depth + 1));
    return { kind: "or", values };
  }
  const oneOf = from.listMatch?.oneOf;
  if (oneOf) return { kind: "list", oneOf: parseValueMatch(where, oneOf, depth + 1) };
  throw unsupported(where, "a value matcher of this kind");
}
