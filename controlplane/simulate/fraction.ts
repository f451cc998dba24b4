import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from "../../mesh/xds/gen/envoy/type/v3/percent.ts";

const PARTS: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

/** In [0,1]. A percentage that is not set is none, as in proto3. */
export function fractionOf(percent: FractionalPercent | undefined): number {
  if (percent === undefined) return 0;
  return Math.min(1, percent.numerator / (PARTS[percent.denominator] ?? 100));
}
