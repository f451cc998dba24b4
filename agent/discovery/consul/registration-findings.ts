import type { HostFinding } from "../../../mesh/admin-api/host-finding.ts";
import type { RegistrationProblem } from "./parse-agent.ts";

/** What is wrong with registrations of the local Consul agent, for the log, `lateen status` and `lateen check`. */
export function registrationFindings(problems: readonly RegistrationProblem[]): readonly HostFinding[] {
  return problems.map(({ code, severity, service, workload, path, message }) => ({
    code,
    severity,
    workload,
    message: `Consul's registration ${service}: ${path} ${message}`,
    hint:
      severity === "error"
        ? "register it again as it is meant (docs/consul.md); until then it is as it was before, or not in the mesh"
        : "take it out of the registration if nothing is missing (docs/consul.md)",
  }));
}
