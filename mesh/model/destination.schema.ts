import { z } from "zod";
import { isDnsSubdomain } from "./dns-names.ts";
import { optionalDnsLabel, portSelector, textThat, wildcardHostButNotAll } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import type { Report } from "./schema-rule.ts";
import type { Destination } from "./virtual-service.ts";

const LARGEST_INT32 = 2 ** 31 - 1;
/** Envoy adds the weights of a route up in 32 bits. */
const LARGEST_TOTAL = 2 ** 32 - 1;

export const destination: z.ZodType<Destination> = z
  .object({
    host: wildcardHostButNotAll,
    subset: optionalDnsLabel,
    port: portSelector.optional(),
  })
  .transform(({ host, subset, port }) => ({ host, subset, port }));

export const weight: z.ZodType<number> = z
  .int()
  .min(0, { error: "must not be negative" })
  .max(LARGEST_INT32)
  .default(0);

const gateway = textThat((name) => {
  const parts = name.split("/");
  return parts.length <= 2 && parts.every(isDnsSubdomain);
}, "the name of a gateway: `mesh`, `name` or `namespace/name`");

/** The gateways that a route is for. `mesh` means the proxies of the mesh: all that there are today. */
export const gateways: z.ZodType<readonly string[]> = z
  .array(
    withNotice(gateway, (name) =>
      name === "mesh" ? undefined : "names a gateway: gateways are accepted but not in force yet",
    ),
  )
  .default([]);

/** Istio's rule: among several destinations one must have a weight. */
export function checkWeights(route: readonly { readonly weight: number }[], report: Report): void {
  const total = route.reduce((sum, each) => sum + each.weight, 0);
  if (route.length > 1 && total === 0) report(["route"], "has no destination with a weight above 0");
  if (total > LARGEST_TOTAL) report(["route"], `has weights that add up to more than ${LARGEST_TOTAL}`);
}

/** A single destination takes everything, whatever its weight says. */
export function withEffectiveWeights<D extends { readonly weight: number }>(
  route: readonly D[],
): readonly D[] {
  const [only, ...others] = route;
  return only !== undefined && others.length === 0 && only.weight === 0 ? [{ ...only, weight: 100 }] : route;
}
