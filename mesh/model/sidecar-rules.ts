import { unixSocketProblem } from "./bind-address.schema.ts";
import type { Report } from "./schema-rule.ts";
import type { SidecarEgress, SidecarIngress } from "./sidecar.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";

const ENDPOINT = /^(?<host>|[\d.]+|\[[\da-f:.]+\]):(?<port>\d{1,5})$/i;
const ENDPOINT_HOSTS: ReadonlySet<string> = new Set(["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"]);

/** What is wrong with an ingress listener's `defaultEndpoint`. */
export function endpointProblem(written: string): string | undefined {
  if (written === "") return undefined;
  if (isUnixAddress(written)) return unixSocketProblem(written);
  const { host = "?", port = "0" } = ENDPOINT.exec(written)?.groups ?? {};
  if (!ENDPOINT_HOSTS.has(host))
    return "must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:// with a path";
  return Number(port) >= 1 && Number(port) <= 65535 ? undefined : "must have a port from 1 to 65535";
}

export function checkIngressListeners(listeners: readonly SidecarIngress[], report: Report): void {
  const ports = new Set<number>();
  for (const [index, { port }] of listeners.entries()) {
    if (ports.has(port.number))
      report(["ingress", index, "port", "number"], `has port ${port.number} a second time`);
    ports.add(port.number);
  }
}

/** Each listener has its own port or socket; the one without a port takes what the others leave, so it stands last. */
export function checkEgressListeners(listeners: readonly SidecarEgress[], report: Report): void {
  const taken = new Set<string>();
  for (const [index, { port, bind }] of listeners.entries()) {
    if (port === undefined) {
      if (index < listeners.length - 1) report(["egress", index], "must stand last: it has no port");
      continue;
    }
    const place = port.number === 0 ? bind : `port ${port.number}`;
    const path = port.number === 0 ? ["bind"] : ["port", "number"];
    if (taken.has(place)) report(["egress", index, ...path], `has ${place} a second time`);
    taken.add(place);
  }
}
