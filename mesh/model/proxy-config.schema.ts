import * as z from "zod";
import { matchLabels } from "./labels.schema.ts";
import { isFields } from "./plain-data.ts";
import { METADATA_PREFIX, type ProxyConfigSpec } from "./proxy-config.ts";
import { count, text } from "./scalars.schema.ts";
import { withNotice } from "./schema-notice.ts";

/** ProxyImage. */
export const proxyImage: z.ZodType<string> = z
  .object({
    imageType: withNotice(text.optional(), (written) =>
      written === undefined ? undefined : "has no effect: a host's data plane is not run from an image",
    ),
  })
  .transform(({ imageType = "" }) => imageType);

function unusedVariables(written: unknown): string | undefined {
  const names = isFields(written) ? Object.keys(written) : [];
  const unused = names.filter((name) => !name.startsWith(METADATA_PREFIX));
  return unused.length === 0
    ? undefined
    : `has no effect for ${unused.join(", ")}: only ${METADATA_PREFIX}… is read, as the node's metadata`;
}

/** ProxyConfig's spec, by Istio's rules. */
export const proxyConfigSpec: z.ZodType<ProxyConfigSpec> = z
  .object({
    selector: matchLabels.default({}),
    concurrency: count.optional(),
    environmentVariables: withNotice(z.record(z.string(), z.string()).default({}), unusedVariables),
    image: proxyImage.default(""),
  })
  .transform(({ selector, concurrency, environmentVariables, image }) => ({
    selector,
    concurrency,
    environmentVariables,
    imageType: image,
  }));
