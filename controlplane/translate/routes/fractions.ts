import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
} from "../../../mesh/xds/gen/envoy/type/v3/percent.ts";

/** Percent to a millionth, as fine as Envoy counts. */
export function fraction(percent: number): FractionalPercent {
  return { numerator: Math.round(percent * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}
