import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";

export interface StateDirectoryFacts {
  readonly path: string;
  /** Undefined: it is not there. */
  readonly found: { readonly mode: number; readonly uid: number; readonly isDirectory: boolean } | undefined;
  /** Whose it should be; undefined: nobody in particular. */
  readonly uid: number | undefined;
}

export function stateDirectoryFindings({ path, found, uid }: StateDirectoryFacts): readonly HostFinding[] {
  if (found === undefined) return [];
  const report = (message: string, hint: string): HostFinding[] => [
    { code: "host.state-directory", severity: "error", workload: "", message, hint },
  ];
  if (!found.isDirectory) return report(`${path} is not a directory`, `move it away: mv ${path} ${path}.old`);
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const said = `${path} has keys in it, and other users can reach it (mode ${mode.toString(8)})`;
    return report(said, `chmod 0700 ${path}; join again if you cannot tell who has read the keys`);
  }
  if (uid !== undefined && found.uid !== uid)
    return report(
      `${path} belongs to user ${found.uid}, and the agent runs as ${uid}`,
      `chown -R ${uid} ${path}`,
    );
  return [];
}

const MIB = 1 << 20;
const TIGHT_BYTES = 256 * MIB;
const FULL_BYTES = 32 * MIB;

export function diskFindings(path: string, freeBytes: number): readonly HostFinding[] {
  if (freeBytes >= TIGHT_BYTES) return [];
  const left = `${Math.floor(freeBytes / MIB)} MiB are free under ${path}`;
  return [
    {
      code: "host.disk-space",
      severity: freeBytes < FULL_BYTES ? "error" : "warning",
      workload: "",
      message: `${left}: certificates and the last good configuration cannot be kept when it is full, and a restart without the server would have old ones`,
      hint: "free some disk space, or set stateDir to another file system",
    },
  ];
}

export interface KernelFacts {
  /** Why libc's calls cannot be made from here; undefined: they can. */
  readonly libcProblem: string | undefined;
  readonly hasIpv6: boolean;
  readonly hasNetfilter: boolean;
}

/** Parts that are optional, and cannot be had on this host. */
export function kernelFindings({ libcProblem, hasIpv6, hasNetfilter }: KernelFacts): readonly HostFinding[] {
  const optional = (message: string, hint: string): HostFinding => ({
    code: "host.kernel-feature",
    severity: "info",
    workload: "",
    message,
    hint,
  });
  return [
    ...(libcProblem === undefined
      ? []
      : [
          optional(
            `libc cannot be called: ${libcProblem}; callers of the Workload API cannot be told apart`,
            "use a platform that koffi has a build for (Linux on x64 or arm64, glibc or musl)",
          ),
        ]),
    ...(hasIpv6
      ? []
      : [
          optional("IPv6 is off: no listener can have an IPv6 address", "nothing, unless services have some"),
        ]),
    ...(hasNetfilter
      ? []
      : [
          optional(
            "the kernel has no netfilter: connections cannot be captured",
            "modprobe nf_tables, if interception is wanted",
          ),
        ]),
  ];
}

export interface TakenPort {
  readonly address: string;
  readonly port: number;
  /** `process 4711 (nginx)`, or that it cannot be seen. */
  readonly holder: string;
}

/** Somebody else's listeners where data planes would have theirs. */
export function foreignListenerFindings(taken: readonly TakenPort[]): readonly HostFinding[] {
  const first = taken[0];
  if (first === undefined) return [];
  const more = taken.length === 1 ? "" : ` and ${taken.length - 1} more`;
  return [
    {
      code: "host.foreign-listener",
      severity: "warning",
      workload: "",
      message: `${first.holder} listens at ${first.address}:${first.port}${more}, in the range of the mesh's inbound ports (21000 to 21255)`,
      hint: "the others of the range are used; Consul's sidecars have the same range: take them away once their services are Lateen's",
    },
  ];
}

export function takenPortFindings(
  taken: readonly (TakenPort & { readonly what: string; readonly setting: string })[],
): readonly HostFinding[] {
  return taken.map(({ address, port, holder, what, setting }) => ({
    code: "host.port-taken",
    severity: "error",
    workload: "",
    message: `${address}:${port}, which is for ${what}, is taken by ${holder}`,
    hint: `stop what holds it, or set ${setting}`,
  }));
}

/** Who listens everywhere at a port gets the calls to every address there: those of services too. */
export function vipPortFindings(taken: readonly TakenPort[]): readonly HostFinding[] {
  return taken.map(({ address, port, holder }) => ({
    code: "host.vips-port",
    severity: "error",
    workload: "",
    message: `${holder} listens at port ${port} of all addresses (${address}): calls to services at that port reach it, not them`,
    hint: "let it listen at an address of its own (127.0.0.1), or call these services by an upstream or through the HTTP proxy",
  }));
}
