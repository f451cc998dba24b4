import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import { MeshError } from "../../../mesh/errors.ts";
import type { Violation } from "../../../mesh/model/violation.ts";
import { isNomadRefusal } from "../../../mesh/nomad/nomad-error.ts";

/** Why Nomad says nothing of this host: it does not take the token, or does not answer. */
export function nomadFinding(error: unknown): HostFinding {
  const { message, hint = "" } = MeshError.from(error, "registry.unavailable");
  return {
    code: isNomadRefusal(error) ? "host.nomad-token" : "host.nomad-unreachable",
    severity: "error",
    workload: "",
    message: `${message}: services of this host are not seen, what was known of them stays in force`,
    hint,
  };
}

/** What of a service's tags cannot be meant; `refused`: it is not taken as it is now. */
export function tagsFinding(
  workload: string,
  violations: readonly Violation[],
  refused: boolean,
): HostFinding {
  const lines = violations.map(({ path, message }) => `${path} ${message}`).join("; ");
  return {
    code: "host.tags",
    severity: refused ? "error" : "warning",
    workload,
    message: refused
      ? `${workload} cannot be taken as it is now: ${lines}`
      : `of ${workload} is passed over: ${lines}`,
    hint: refused
      ? "mend the tags of its service block and run the job again; what was known of it stays in force"
      : "take it out of the service block if nothing is missing",
  };
}

/** Nomad may give jobs the ports that proxies have. */
export function portsFinding(range: string): HostFinding {
  return {
    code: "host.nomad-ports",
    severity: "warning",
    workload: "",
    message: `Nomad gives jobs dynamic ports of ${range}, and 21000–21255 of them are the proxies': a job may find its port taken`,
    hint: 'set client { reserved { reserved_ports = "21000-21255" } } in the configuration of this host\'s Nomad',
  };
}
