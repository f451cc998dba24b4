import type { KeyValue } from "../../../mesh/xds/gen/opentelemetry/proto/common/v1/common.ts";
import { AnyValue } from "../../../mesh/xds/gen/opentelemetry/proto/common/v1/common.ts";

export interface NodeNames {
  readonly id: string;
  readonly cluster: string;
}

export function textAttribute(key: string, value: string): KeyValue {
  return { key, value: AnyValue.fromPartial({ stringValue: value }) };
}

export function attribute(key: string, value: string | number | boolean): KeyValue {
  if (typeof value === "string") return textAttribute(key, value);
  if (typeof value === "boolean") return { key, value: AnyValue.fromPartial({ boolValue: value }) };
  // There are no other numbers among what protobuf has for whole ones.
  const said = Number.isSafeInteger(value) ? { intValue: value } : { doubleValue: value };
  return { key, value: AnyValue.fromPartial(said) };
}

/** Of milliseconds since the epoch, as decimal digits: there are more of them than a number tells apart. */
export function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}
