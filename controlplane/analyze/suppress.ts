import type { AnalysisMessage } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import { didYouMean } from "../../mesh/spelling/closest.ts";
import { CODES, isCode } from "./codes.ts";

/** Messages of a code about origins that match. */
export interface Suppression {
  readonly code: string;
  readonly origin: RegExp;
}

/** `IST0103=Pod default/*`; istioctl's `Pod *.default` means the same, and a code alone means all. Throws `cli.usage`. */
export function parseSuppression(text: string): Suppression {
  const at = text.indexOf("=");
  const code = (at === -1 ? text : text.slice(0, at)).trim();
  if (!isCode(code)) {
    throw new MeshError(
      "cli.usage",
      `${code} is no code of an analysis${didYouMean(code, Object.keys(CODES))}`,
      {
        hint: "docs/analysis.md lists them; --suppress 'LAT0001=WorkloadEntry default/*'",
      },
    );
  }
  return { code, origin: globPattern(at === -1 ? "*" : text.slice(at + 1).trim()) };
}

export function isSuppressed(
  { code, origin }: Pick<AnalysisMessage, "code" | "origin">,
  suppressions: readonly Suppression[],
): boolean {
  // istioctl names a resource `Kind name.namespace`.
  const istioctls = origin.replace(/^(\S*) ([^/]*)\/(.*)$/, "$1 $3.$2");
  return suppressions.some(
    (one) => one.code === code && (one.origin.test(origin) || one.origin.test(istioctls)),
  );
}

function globPattern(glob: string): RegExp {
  const parts = glob.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "i");
}
