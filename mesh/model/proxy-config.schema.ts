import { z } from "zod";
import { matchLabels } from "./labels.schema.ts";
import type { ProxyConfigSpec } from "./proxy-config.ts";
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

/** ProxyConfig's spec, by Istio's rules. */
export const proxyConfigSpec: z.ZodType<ProxyConfigSpec> = z
  .object({
    selector: matchLabels.default({}),
    concurrency: count.optional(),
    environmentVariables: z.record(z.string(), z.string()).default({}),
    image: proxyImage.default(""),
  })
  .transform(({ selector, concurrency, environmentVariables, image }) => ({
    selector,
    concurrency,
    environmentVariables,
    imageType: image,
  }));
