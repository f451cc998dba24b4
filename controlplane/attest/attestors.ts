import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { AgentRecords } from "./agent-records.ts";
import type { AttestConfig } from "./attest-config.ts";
import type { Attestor } from "./attestor.ts";
import type { JoinTokenStore } from "./join-token-store.ts";
import { joinTokenAttestor } from "./methods/join-token.ts";
import { lastCertificateAttestor } from "./methods/last-certificate.ts";

export interface AttestorDeps {
  readonly ca: CertificateAuthority;
  readonly agents: AgentRecords;
  readonly tokens: JoinTokenStore;
  readonly clock: Clock;
}

/** The methods that the configuration allows, and no other. */
export function attestorsFor(config: AttestConfig, deps: AttestorDeps): readonly Attestor[] {
  const graceMs = config.returnHours * 3_600_000;
  return [
    ...(config.joinToken ? [joinTokenAttestor(deps.tokens)] : []),
    ...(graceMs > 0 ? [lastCertificateAttestor({ ...deps, graceMs })] : []),
  ];
}
