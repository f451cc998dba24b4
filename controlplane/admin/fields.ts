import * as z from "zod";

/** A switch in a query: `?dryRun`, `?dryRun=true`. */
export const flag = z
  .enum(["", "true", "false"], "must be true or false")
  .transform((value) => value !== "false");

/** A namespace, or the name of an object. */
export const namespaceName = z.string().min(1).max(253);
