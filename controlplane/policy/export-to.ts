/** How an object of `owner` is seen from a namespace, nearest first; undefined: not at all. */
export type Visibility = "private" | "exported" | "public";

/** Istio's exportTo: `.` is the own namespace, `*` (and nothing) all, `~` none, else names. */
export function visibility(exportTo: readonly string[], owner: string, from: string): Visibility | undefined {
  if (exportTo.length === 0 || exportTo.includes("*")) return "public";
  if (exportTo.includes("~")) return undefined;
  if (exportTo.includes(".") && owner === from) return "private";
  return exportTo.includes(from) ? "exported" : undefined;
}
