import * as z from "zod";
import { isDnsLabel, isDnsSubdomain } from "./dns-names.ts";
import { optionalMixedCaseLabel, portSelector, textThat, wildcardHostButNotAll } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";
import type { Report } from "./schema-rule.ts";
import type { Destination } from "./virtual-service.ts";

const LARGEST_INT32 = 2 ** 31 - 1;
/** Envoy adds the weights of a route up in 32 bits. */
const LARGEST_TOTAL = 2 ** 32 - 1;

export const destination: z.ZodType<Destination> = z
  .object({
    host: wildcardHostButNotAll,
    subset: optionalMixedCaseLabel,
    port: portSelector.optional(),
  })
  .transform(({ host, subset, port }) => ({ host, subset, port }));

export const weight: z.ZodType<number> = z
  .int()
  .min(0, { error: "must not be negative" })
  .max(LARGEST_INT32)
  .default(0);

const gateway = withNotice(
  textThat((name) => {
    const [first = "", second, ...rest] = name.split("/");
    if (second === undefined) return isDnsSubdomain(first);
    return rest.length === 0 && isDnsLabel(first) && isDnsLabel(second);
  }, "the name of a gateway: `mesh`, `name` or `namespace/name`"),
  (name) => {
    if (typeof name !== "string" || name.includes("/") || !name.includes(".")) return undefined;
    const [gateway = "", namespace = ""] = name.split(".");
    return `is the old form of a gateway's name: write \`${namespace}/${gateway}\``;
  },
);

/** The gateways that a route is for; `mesh` means the proxies of the mesh. Empty: those alone. */
export const gateways: z.ZodType<readonly string[]> = z.array(gateway).default([]);

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
