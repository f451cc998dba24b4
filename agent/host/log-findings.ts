import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";

/** Logs findings that were not among the ones before, and which of those are mended. */
export function logFindings(
  logger: Logger,
  findings: readonly HostFinding[],
  before: readonly HostFinding[],
): void {
  const told = new Set(before.map(({ message }) => message));
  const still = new Set(findings.map(({ message }) => message));
  for (const { severity, code, workload, message, hint } of findings) {
    if (told.has(message)) continue;
    const fields = { code, ...(workload === "" ? {} : { workload }), finding: message, hint };
    if (severity === "info") logger.info("an optional part cannot be had on this host", fields);
    else logger.warn("something is wrong with this host", fields);
  }
  for (const { code, message } of before)
    if (!still.has(message)) logger.info("mended", { code, finding: message });
}
