import type * as z from "zod";
import { isDnsLabel, isHostName } from "./dns-names.ts";
import { textThat } from "./scalars.schema.ts";

/** The service of an extensionProvider; `namespace` is empty where the client's own is meant. */
export const providerService: z.ZodType<{ readonly namespace: string; readonly host: string }> = textThat(
  isService,
  "a service: `host` or `namespace/host`",
).transform((written) => {
  const [first = "", second] = written.split("/");
  return second === undefined ? { namespace: "", host: first } : { namespace: first, host: second };
});

function isService(written: string): boolean {
  const [first = "", second, ...rest] = written.split("/");
  if (rest.length > 0) return false;
  return second === undefined ? isHostName(first) : isDnsLabel(first) && isHostName(second);
}
