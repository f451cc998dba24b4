import { printable } from "./table.ts";

/** Objects as people write them, `EnvoyFilter default/slow`, in a sentence about what comes from them. */
export function causesText(causes: readonly string[]): string {
  if (causes.length === 0) return "";
  const labels = causes.map((cause) => printable(cause.replace("/", " ")));
  return ` (from ${labels.join(", ")})`;
}
