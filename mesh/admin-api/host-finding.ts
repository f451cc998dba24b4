/** What can be wrong with a host, by name; docs/host-findings.md explains each, and a test keeps the two equal. */
export type HostFindingCode =
  | "host.address"
  | "host.agent-down"
  | "host.capture-changed"
  | "host.capture-off"
  | "host.capture-owner"
  | "host.catalog-token"
  | "host.catalog-unreachable"
  | "host.certificate"
  | "host.claimed-twice"
  | "host.clock-skew"
  | "host.configuration"
  | "host.disk-space"
  | "host.dns-hook"
  | "host.dns-loop"
  | "host.dns-port"
  | "host.dns-shared"
  | "host.dns-upstream"
  | "host.foreign-listener"
  | "host.foreign-rules"
  | "host.kernel-feature"
  | "host.left-open"
  | "host.nomad-ports"
  | "host.nomad-token"
  | "host.nomad-unreachable"
  | "host.nothing-listens"
  | "host.port-taken"
  | "host.registration"
  | "host.server-unreachable"
  | "host.services-file"
  | "host.state-directory"
  | "host.tags"
  | "host.vips-port"
  | "host.wrong-authority";

/**
 * `error`: something does not work; `warning`: it will not, or not all of it, or it works otherwise than was meant; `info`:
 * an optional part cannot be had here.
 */
export type FindingSeverity = "error" | "warning" | "info";

/** One thing that is wrong with a host or with a service on it: in the log, in `lateen status` and in `lateen check`. */
export interface HostFinding {
  readonly code: HostFindingCode;
  readonly severity: FindingSeverity;
  /** `namespace/name` of the workload that it is about; empty: the host. */
  readonly workload: string;
  /** What is wrong, and why. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}
