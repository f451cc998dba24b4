import * as z from "zod";
import { destination } from "./destination.schema.ts";
import { percentage, wholePercent } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import type { Destination, HttpRoute, Mirror } from "./virtual-service.ts";

const percent = z.object({ value: percentage.default(0) }).transform(({ value }) => value);

const mirrorPercent = withNotice(wholePercent.optional(), (value) =>
  value === undefined ? undefined : "is deprecated: use mirrorPercentage",
);

const mirror: z.ZodType<Mirror> = z
  .object({ destination, percentage: percent.optional() })
  .transform(({ destination, percentage = 100 }) => ({ destination, percent: percentage }));

/** The fields of HTTPRoute that are about mirrors: one of them, or several each with a share of its own. */
export const mirrorFields = {
  mirror: destination.optional(),
  mirrorPercentage: percent.optional(),
  mirrorPercent,
  /** The proto's own name, which Istio's CRD takes as well. */
  mirror_percent: mirrorPercent,
  mirrors: z.array(mirror).default([]),
};

interface MirrorFields {
  readonly mirror?: Destination | undefined;
  readonly mirrorPercentage?: number | undefined;
  readonly mirrorPercent?: number | undefined;
  readonly mirror_percent?: number | undefined;
  readonly mirrors: readonly Mirror[];
}

/** As the model has them: one share, whichever of its three names it has. */
export function mirroring(fields: MirrorFields): Pick<HttpRoute, "mirror" | "mirrorPercent" | "mirrors"> {
  const { mirror, mirrorPercentage, mirrorPercent, mirror_percent: oldPercent, mirrors } = fields;
  return { mirror, mirrorPercent: mirrorPercentage ?? mirrorPercent ?? oldPercent, mirrors };
}
