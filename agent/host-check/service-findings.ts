import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { type SocketAddress, workloadId } from "../../mesh/model/workload.ts";
import type { LocalService } from "../discovery/discovery.ts";
import { isWildcard } from "../registration/listening-sockets.ts";

export interface HostSockets {
  /** The socket at a place of a program that is none of this agent's data planes. */
  readonly foreign: (place: SocketAddress) => SocketAddress | undefined;
  readonly loopback: string;
  /** Addresses of the host's interfaces. */
  readonly addresses: ReadonlySet<string>;
  /** Smallest port that everybody may bind, and whether this process may bind those below it too. */
  readonly firstFreePort: number;
}

/** What is wrong with services, seen from the host that they are on. */
export function serviceFindings(
  services: readonly LocalService[],
  host: HostSockets,
): readonly HostFinding[] {
  return services.flatMap((service) => [
    ...addressFindings(service, host),
    ...silenceFindings(service, host),
    ...lowPortFindings(service, host),
  ]);
}

function addressFindings(
  { id, namespace, address, inbound }: LocalService,
  { addresses }: HostSockets,
): HostFinding[] {
  const { address: ip } = address;
  if (inbound?.kind === "none" || addresses.has(ip) || isWildcard(ip) || isLoopback(ip)) return [];
  return [
    {
      code: "host.address",
      severity: "error",
      workload: workloadId({ namespace, name: id }),
      message: `${id} is said to be at ${ip}, which no interface of this host has: its proxy cannot listen there`,
      hint: "mend the address, or leave it out: then it is the one that leads to the server; this host has ".concat(
        [...addresses].filter((one) => !isLoopback(one)).join(", ") || "no address but loopback",
      ),
    },
  ];
}

function silenceFindings(
  service: LocalService,
  { foreign, loopback, addresses }: HostSockets,
): HostFinding[] {
  const { id, namespace, address, app, inbound } = service;
  // A network of its own is not looked into from here.
  if (inbound?.kind === "none" || (app !== undefined && !isOfHost(app.address, addresses))) return [];
  const places = app === undefined ? [{ address: loopback, port: address.port }, address] : [app];
  if (places.some((place) => foreign(place) !== undefined)) return [];
  const [{ address: host, port } = address] = places;
  return [
    {
      code: "host.nothing-listens",
      severity: "warning",
      workload: workloadId({ namespace, name: id }),
      message: `nothing listens at ${host}:${port}, where ${id}'s application is expected: calls to it get 503`,
      hint: "start the application, or say where it listens (appAddress and appPort; in Consul the tag lateen.app=address:port)",
    },
  ];
}

function lowPortFindings(
  { id, namespace, address, inbound }: LocalService,
  { firstFreePort }: HostSockets,
): HostFinding[] {
  if (inbound !== undefined || address.port >= firstFreePort) return [];
  return [
    {
      code: "host.kernel-feature",
      severity: "error",
      workload: workloadId({ namespace, name: id }),
      message: `${id}'s proxy may not listen at port ${address.port}: this user may bind ports from ${firstFreePort} on`,
      hint: `grant CAP_NET_BIND_SERVICE (lateen-agent.service has it), or sysctl net.ipv4.ip_unprivileged_port_start=${address.port}`,
    },
  ];
}

function isOfHost(address: string, addresses: ReadonlySet<string>): boolean {
  return addresses.has(address) || isWildcard(address) || isLoopback(address);
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
