import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { ServerAnswer } from "./ask-server.ts";

/** A certificate that is not valid yet for one side is refused there. */
const SKEW_ERROR_MS = 60_000;
const SKEW_WARNING_MS = 10_000;

/** What follows for the host from what its servers answered, by their addresses. */
export function serverFindings(answers: ReadonlyMap<string, ServerAnswer>): readonly HostFinding[] {
  const reachesOne = [...answers.values()].some(({ kind }) => kind === "reached");
  return [...answers].flatMap(([address, answer]) => {
    switch (answer.kind) {
      case "reached":
        return skewFindings(address, answer.aheadMs);
      case "unreachable":
        return [
          finding("host.server-unreachable", reachesOne ? "warning" : "error", {
            message: `the server at ${address} cannot be reached: ${answer.reason}`,
            hint: "look whether it runs (lateen status there), whether the name is right, and whether a firewall lets this host through to its port; what was there stays in force meanwhile",
          }),
        ];
      case "wrong-authority":
        return [
          finding("host.wrong-authority", "error", {
            message: `what answers at ${address} is not this mesh's server: ${answer.reason}`,
            hint: "the address is of another mesh, or something answers in the server's place; if the mesh was set up anew, run lateen leave, then lateen join with a new token",
          }),
        ];
      default:
        return answer satisfies never;
    }
  });
}

function skewFindings(address: string, aheadMs: number | undefined): readonly HostFinding[] {
  if (aheadMs === undefined || Math.abs(aheadMs) < SKEW_WARNING_MS) return [];
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const severity = Math.abs(aheadMs) >= SKEW_ERROR_MS ? "error" : "warning";
  const how = aheadMs > 0 ? "behind" : "ahead of";
  return [
    finding("host.clock-skew", severity, {
      message: `this host's clock is ${seconds} s ${how} that of the server at ${address}: certificates would count as not valid yet, or as over`,
      hint: "keep both clocks by NTP: timedatectl set-ntp true, or chronyd",
    }),
  ];
}

export interface CertificateFacts {
  /** `namespace/name` of the workload; empty: the agent's own. */
  readonly workload: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Renewal is due at 50 to 70 % of a certificate's life: one that is older has not been renewed. */
const NOT_RENEWED = 0.8;

export function certificateFindings(
  certificates: readonly CertificateFacts[],
  now: number,
): readonly HostFinding[] {
  return certificates.flatMap(({ workload, notBeforeMs, notAfterMs }) => {
    if (now < notBeforeMs + (notAfterMs - notBeforeMs) * NOT_RENEWED) return [];
    const whose = workload === "" ? "the agent's own certificate" : `the certificate of ${workload}`;
    const end = new Date(notAfterMs).toISOString();
    const over = now >= notAfterMs;
    return [
      {
        code: "host.certificate" as const,
        severity: over ? ("error" as const) : ("warning" as const),
        workload,
        message: over
          ? `${whose} is over since ${end}, and was not renewed`
          : `${whose} ends at ${end}, and was not renewed in time`,
        hint: "it is renewed by itself as soon as the server answers: see host.server-unreachable and host.clock-skew, and the agent's log for what the server said",
      },
    ];
  });
}

function finding(
  code: HostFinding["code"],
  severity: HostFinding["severity"],
  text: Pick<HostFinding, "message" | "hint">,
): HostFinding {
  return { code, severity, workload: "", ...text };
}
