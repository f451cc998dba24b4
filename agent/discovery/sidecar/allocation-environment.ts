import type { SocketAddress } from "../../../mesh/model/workload.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A port of the group's network, as Nomad tells a task of it. */
export interface GroupPort {
  readonly label: string;
  /** Where it is inside the allocation. */
  readonly inside: SocketAddress;
  /** Where others reach it. */
  readonly outside: SocketAddress;
}

/** Whether the allocation has a network of its own: Nomad tells of its address then. */
export function hasOwnNetwork(environment: Environment): boolean {
  return Object.keys(environment).some((name) => name.startsWith("NOMAD_ALLOC_IP_"));
}

/** The group's port of a label; undefined: there is none. */
export function groupPort(environment: Environment, label: string): GroupPort | undefined {
  const inner = portOf(environment[`NOMAD_PORT_${label}`]);
  const address = environment[`NOMAD_HOST_IP_${label}`] ?? environment[`NOMAD_IP_${label}`];
  if (inner === undefined || address === undefined) return undefined;
  const outer = portOf(environment[`NOMAD_HOST_PORT_${label}`]) ?? inner;
  return {
    label,
    inside: { address: environment[`NOMAD_ALLOC_IP_${label}`] ?? address, port: inner },
    outside: { address, port: outer },
  };
}

/** The group's port with a label, or with a number inside the allocation. */
export function findGroupPort(environment: Environment, labelOrNumber: string): GroupPort | undefined {
  const direct = groupPort(environment, labelOrNumber);
  if (direct !== undefined || portOf(labelOrNumber) === undefined) return direct;
  const name = Object.keys(environment).find(
    (key) => key.startsWith("NOMAD_PORT_") && environment[key] === labelOrNumber,
  );
  return name === undefined ? undefined : groupPort(environment, name.slice("NOMAD_PORT_".length));
}

function portOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && /^\d{1,5}$/.test(text) && number >= 1 && number <= 65_535 ? number : undefined;
}
