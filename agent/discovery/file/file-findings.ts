import { basename } from "node:path";
import type { HostFinding, HostFindingCode } from "../../../mesh/admin-api/host-finding.ts";
import type { Violation } from "../../../mesh/model/violation.ts";

const STAYS = "what it last said stays in force, and the other files are not touched by it";

/** A path that cannot be read at all. */
export function unreadable(path: string, problem: string): HostFinding {
  return {
    code: "host.services-file",
    severity: "error",
    workload: "",
    message: `${path} cannot be read: ${problem}`,
    hint: `make it readable for the agent's user; ${STAYS}`,
  };
}

/** A file of a kind that nobody reads here. */
export function notRead(path: string): HostFinding {
  return {
    code: "host.services-file",
    severity: "warning",
    workload: "",
    message: `${path} is HCL, which is not read`,
    hint: "write the same definition as JSON or YAML",
  };
}

/** Why a file does not count, each reason under the code of its kind. */
export function refusedFile(path: string, violations: readonly Violation[]): readonly HostFinding[] {
  return byCode(violations).map(([code, lines]) => ({
    code,
    severity: "error",
    workload: "",
    message: `${path} does not count: ${lines.join("; ")}`,
    hint: `mend the file; ${STAYS}`,
  }));
}

/** What of a file that counts means nothing. */
export function passedOver(path: string, notices: readonly Violation[]): readonly HostFinding[] {
  return byCode(notices).map(([code, lines]) => ({
    code,
    severity: "warning",
    workload: "",
    message: `of ${path} is passed over: ${lines.join("; ")}`,
    hint: "take it out of the file if nothing is missing",
  }));
}

/** A service of a file that one of another file stands in the way of. */
export function clash(path: string, { namespace, id }: { namespace: string; id: string }): HostFinding {
  return {
    code: "host.claimed-twice",
    severity: "error",
    workload: `${namespace}/${id}`,
    message: `${id} of ${basename(path)} has the id or the port of a service of another file, and is left out`,
    hint: "give it another id or port; the one that was there first stays",
  };
}

/** A service that says it is elsewhere than the host is configured to be. */
export function elsewhere(
  { namespace, id, address }: { namespace: string; id: string; address: { address: string } },
  own: string,
): HostFinding {
  return {
    code: "host.address",
    severity: "error",
    workload: `${namespace}/${id}`,
    message: `${id} is said to be at ${address.address}, and this host is ${own}: it is left out`,
    hint: "mend its address or leave it out of the file, or mend `address` of agent.yaml",
  };
}

function byCode(
  violations: readonly Violation[],
): readonly (readonly [HostFindingCode, readonly string[]])[] {
  const lines = Map.groupBy(violations, codeOf);
  return [...lines].map(([code, all]) => [
    code,
    all.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)),
  ]);
}

function codeOf({ path, message }: Violation): HostFindingCode {
  if (/(^|: )(tag|meta) lateen[.-]/.test(path)) return "host.tags";
  return /^\S+ is (that of )?services\[\d+\]/.test(message) ? "host.claimed-twice" : "host.services-file";
}
