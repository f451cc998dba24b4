import { parseCel } from "../../mesh/cel/parse-cel.ts";
import {
  type AccessLogFilter,
  type ComparisonFilter,
  type ExtensionFilter,
  ComparisonFilter_Op as Op,
} from "../../mesh/xds/gen/envoy/config/accesslog/v3/accesslog.ts";
import { ExpressionFilter } from "../../mesh/xds/gen/envoy/extensions/access_loggers/filters/cel/v3/cel.ts";
import { compileCondition } from "../format/compile-cel.ts";
import type { LogFilter } from "../model/access-log.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { anyType, decode } from "./values.ts";

const CEL_TYPE = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";

const OPERATORS = new Map<Op, "equal" | "at-least" | "at-most">([
  [Op.EQ, "equal"],
  [Op.GE, "at-least"],
  [Op.LE, "at-most"],
]);

const KNOWN = [
  "statusCodeFilter",
  "durationFilter",
  "andFilter",
  "orFilter",
  "responseFlagFilter",
  "grpcStatusFilter",
  "extensionFilter",
] as const;

export function parseLogFilter(parent: string, from: AccessLogFilter): LogFilter {
  const where = `${parent}: filter`;
  onlyFields(where, from, KNOWN);
  if (from.statusCodeFilter) return comparison(where, "status", from.statusCodeFilter.comparison);
  if (from.durationFilter) return comparison(where, "duration", from.durationFilter.comparison);
  if (from.andFilter)
    return { kind: "and", filters: from.andFilter.filters.map((one) => parseLogFilter(where, one)) };
  if (from.orFilter)
    return { kind: "or", filters: from.orFilter.filters.map((one) => parseLogFilter(where, one)) };
  if (from.responseFlagFilter) return { kind: "flags", flags: from.responseFlagFilter.flags };
  if (from.grpcStatusFilter) {
    const { statuses, exclude } = from.grpcStatusFilter;
    return { kind: "grpc-status", statuses: statuses.map(Number), exclude };
  }
  if (from.extensionFilter) return expression(where, from.extensionFilter);
  throw invalid(where, "a filter that says nothing");
}

function comparison(
  where: string,
  kind: "status" | "duration",
  from: ComparisonFilter | undefined,
): LogFilter {
  const { op, value } = required(where, "comparison", from);
  const operator = OPERATORS.get(op);
  if (operator === undefined) throw unsupported(where, `the comparison ${op}`);
  return { kind, operator, value: required(where, "value", value).defaultValue };
}

function expression(where: string, { name, typedConfig }: ExtensionFilter): LogFilter {
  if (anyType(typedConfig) !== CEL_TYPE) throw unsupported(where, `"${name}"`);
  const { expression: text } = decode(where, ExpressionFilter, typedConfig?.value ?? new Uint8Array());
  const parsed = parseCel(text);
  if ("problem" in parsed) throw unsupported(where, `the expression "${text}": ${parsed.problem}; it`);
  compileCondition(parsed, (attribute) => {
    throw unsupported(where, `the attribute ${attribute} in the expression "${text}"`);
  });
  return { kind: "expression", expression: parsed };
}
