import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import type { CapturePlan } from "../capture/capture-plan.ts";
import type { InForce } from "../capture/kept-capture.ts";
import type { CaptureLife, TableState } from "../capture/table-state.ts";
import type { LocalService } from "../discovery/discovery.ts";
import { isCapturePort } from "../registration/capture-ports.ts";
import type { ListeningSocket } from "../registration/listening-sockets.ts";
import type { HostSockets } from "./service-findings.ts";

/** What services ask for and no rule does. */
export function captureOffFindings(
  asked: readonly AskedCapture[],
  inForce: Pick<InForce, "plan"> | undefined,
): readonly HostFinding[] {
  return asked
    .filter((one) => !isCaptured(one, inForce?.plan))
    .map(({ workload, at }) => ({
      code: "host.capture-off",
      severity: "warning",
      workload,
      message: `no rule of ours sends ${workload}'s connections to its proxy (ports ${at.outbound} and ${at.inbound}): unless rules of your own do, they pass it by`,
      hint: "lateen capture plan, then lateen capture apply and lateen capture confirm",
    }));
}

function isCaptured({ workload, at, place }: AskedCapture, plan: CapturePlan | undefined): boolean {
  return (
    plan?.services.some(
      (service) =>
        service.workload === workload &&
        service.outbound === at.outbound &&
        service.inbound === at.inbound &&
        service.place.address === place.address &&
        service.place.port === place.port,
    ) ?? false
  );
}

export interface TableFacts {
  /** Undefined: there is none. */
  readonly table: TableState | undefined;
  readonly inForce: InForce | undefined;
  /** Ports of proxies at which none listens. */
  readonly silent: readonly number[];
}

/** What is wrong with our table itself, as root sees it. */
export function tableFindings({ table, inForce, silent }: TableFacts): readonly HostFinding[] {
  if (inForce === undefined)
    return table === undefined ? [] : [changed("there is a table inet lateen, and nobody knows what for")];
  if (table === undefined)
    return [changed("the rules of capture are gone: somebody has removed the table inet lateen")];
  return [
    ...lifeFindings(table.life),
    ...(table.digest === inForce.digest
      ? []
      : [changed("somebody has changed the rules in the table inet lateen")]),
    ...table.stale.map((name) =>
      changed(
        `the control group of set ${name} is gone: its unit has been started anew, and what it calls is not captured`,
      ),
    ),
    ...silent.map((port) => ({
      ...changed(`captured connections are sent to port ${port}, and no proxy of the mesh listens there`),
      hint: "look at lateen status; lateen capture remove lets connections go as ever",
    })),
  ];
}

function lifeFindings(life: CaptureLife): readonly HostFinding[] {
  switch (life.kind) {
    case "on":
      return [];
    case "ends":
      return [
        {
          code: "host.capture-off",
          severity: "warning",
          workload: "",
          message: `capture ends by itself in ${life.inSeconds} s`,
          hint: "lateen capture confirm",
        },
      ];
    case "over":
      return [changed("capture was not confirmed in time, or is being removed: nothing is captured")];
    default:
      return life satisfies never;
  }
}

function changed(message: string): HostFinding {
  return {
    code: "host.capture-changed",
    severity: "error",
    workload: "",
    message,
    hint: "lateen capture apply writes it anew; lateen capture remove takes it away",
  };
}

/** Where applications can be called past their proxies. */
export function leftOpenFindings(
  services: readonly LocalService[],
  sockets: readonly ListeningSocket[],
  foreign: HostSockets["foreign"],
): readonly HostFinding[] {
  const served = new Set(services.map(({ address }) => address.port));
  return services.flatMap((service) => {
    const { id, namespace, address, app = address, interception } = service;
    const workload = workloadId({ namespace, name: id });
    const own = foreign(app);
    if (own === undefined) return [];
    const open = (port: number, at: string, hint: string): HostFinding => ({
      code: "host.left-open",
      severity: "info",
      workload,
      message: `who reaches this host can call ${id} at ${at}:${port} past its proxy, without the mesh's rules`,
      hint,
    });
    if (interception === "none")
      return isLoopback(own.address)
        ? []
        : [
            open(
              app.port,
              own.address,
              "let it listen on 127.0.0.1, or have it captured (interception: redirect)",
            ),
          ];
    const uid =
      sockets.find((socket) => socket.port === app.port && socket.address === own.address)?.uid ?? 0;
    if (uid === 0) return [];
    return sockets
      .filter(
        (socket) =>
          socket.uid === uid &&
          !served.has(socket.port) &&
          !isCapturePort(socket.port) &&
          !isLoopback(socket.address),
      )
      .map((socket) =>
        open(socket.port, socket.address, "make it a service of its own, or let it listen on 127.0.0.1"),
      );
  });
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
