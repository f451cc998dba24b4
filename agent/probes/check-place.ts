import type { SocketAddress, Workload } from "../../mesh/model/workload.ts";

/** Where a check goes. */
export interface CheckPlace extends SocketAddress {
  /** The address it comes from; undefined: any. */
  readonly from: string | undefined;
}

/** Calls from here are nobody's to capture (the source addresses of passthrough clusters). */
const NOT_CAPTURED = { ipv4: "127.0.0.6", ipv6: "::1" } as const;

/**
 * Where an application is asked: at the host that the probe names, else where the port of that number is that the
 * workload registers, else at the agent's loopback address. Its own proxy is never asked: it wants mutual TLS.
 */
export function checkPlace(
  { ports, interception }: Pick<Workload, "ports" | "interception">,
  { host, port }: { readonly host: string; readonly port: number },
  loopback: string,
): CheckPlace {
  if (host !== "") return { address: host, port, from: undefined };
  const known = ports.find(({ app }) => app.port === port) ?? ports.find((one) => one.servicePort === port);
  const { address, port: number } = known?.app ?? { address: loopback, port };
  const from = address.includes(":") ? NOT_CAPTURED.ipv6 : NOT_CAPTURED.ipv4;
  return { address, port: number, from: interception === "none" ? undefined : from };
}
