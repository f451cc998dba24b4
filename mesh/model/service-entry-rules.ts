import { isIP } from "node:net";
import { isHostName } from "./dns-names.ts";
import type { ProtocolName } from "./protocol.schema.ts";
import type { Report } from "./schema-rule.ts";
import type { ServiceEntryPort, ServiceEntrySpec } from "./service-entry.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

/** A port with the protocol that its author named: some rules tell apart what a proxy does not. */
export interface SaidPort extends Omit<ServiceEntryPort, "protocol"> {
  readonly protocol: ProtocolName | "UDP" | "";
}

/** What is checked, with its ports as they were named. */
interface SaidEntry extends Omit<ServiceEntrySpec, "ports"> {
  readonly ports: readonly SaidPort[];
}

/** Protocols in which the proxy sees which host is called, and that it can look up itself. */
const DYNAMIC: readonly string[] = ["HTTP", "TLS", "GRPC", "HTTP2"];
/** Protocols whose calls do not say which host they are for. */
const NAMELESS: readonly string[] = ["TCP", "UDP", "MONGO", "MYSQL", "REDIS", ""];

/** Each host has each port at each endpoint: a few lines could ask for more than a server can hold. */
const MOST_TARGETS = 100_000;

export function checkSize(
  { hosts, ports, endpoints }: Pick<SaidEntry, "hosts" | "ports" | "endpoints">,
  report: Report,
): void {
  const targets = hosts.length * ports.length * Math.max(1, endpoints.length);
  if (targets > MOST_TARGETS) {
    const [most, given] = [MOST_TARGETS, targets].map((count) => count.toLocaleString("en"));
    report(
      [],
      `must have at most ${most} combinations of hosts, ports and endpoints, not ${given}: split it`,
    );
  }
}

export function checkPorts(ports: readonly SaidPort[], report: Report): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const [index, { name, number }] of ports.entries()) {
    if (names.has(name)) report(["ports", index, "name"], `names port ${name} a second time`);
    if (numbers.has(number)) report(["ports", index, "number"], `has port ${number} a second time`);
    names.add(name);
    numbers.add(number);
  }
}

/** A range is not an address to which a call could be made, so it goes with the resolutions that make none up. */
export function checkAddresses(
  { addresses, resolution }: Pick<SaidEntry, "addresses" | "resolution">,
  report: Report,
): void {
  if (resolution === "DYNAMIC_DNS" && addresses.length > 0)
    report(["addresses"], "must not be set with resolution DYNAMIC_DNS: the hosts are what is called");
  else if (resolution !== "NONE" && resolution !== "STATIC") {
    for (const [index, address] of addresses.entries()) {
      if (address.includes("/"))
        report(["addresses", index], `must not be a range with resolution ${resolution}`);
    }
  }
}

/** Several hosts behind one port are told apart by the HTTP host or the TLS server name; plain TCP has neither. */
export function checkHosts(entry: Pick<SaidEntry, "hosts" | "ports" | "resolution">, report: Report): void {
  if (entry.hosts.length < 2 || entry.resolution === "NONE") return;
  for (const [index, { protocol }] of entry.ports.entries()) {
    if (NAMELESS.includes(protocol))
      report(
        ["ports", index, "protocol"],
        `must not be ${protocol || "unsaid"} when there are several hosts`,
      );
  }
}

export function checkResolution(
  entry: Pick<SaidEntry, "hosts" | "ports" | "resolution" | "endpoints">,
  report: Report,
): void {
  const { endpoints, resolution } = entry;
  switch (resolution) {
    case "NONE":
      if (endpoints.length > 0) report(["endpoints"], "must not be set with resolution NONE");
      return;
    case "STATIC":
      return checkStaticEndpoints(endpoints, entry.ports, report);
    case "DNS":
    case "DNS_ROUND_ROBIN":
      return checkDns(entry, report);
    case "DYNAMIC_DNS":
      return checkDynamicDns(entry, report);
  }
}

export function checkEndpointPorts(
  endpoints: readonly WorkloadEntrySpec[],
  ports: readonly SaidPort[],
  report: Report,
): void {
  const names = new Set(ports.map(({ name }) => name));
  for (const [index, endpoint] of endpoints.entries()) {
    for (const name of Object.keys(endpoint.ports)) {
      if (!names.has(name)) report(["endpoints", index, "ports", name], "is not a port of this ServiceEntry");
    }
  }
}

function checkStaticEndpoints(
  endpoints: readonly WorkloadEntrySpec[],
  ports: readonly SaidPort[],
  report: Report,
): void {
  for (const [index, { address }] of endpoints.entries()) {
    if (isUnixAddress(address)) {
      if (ports.length !== 1) report(["ports"], "must be exactly one with a unix:// endpoint");
    } else if (address !== "" && isIP(address) === 0) {
      report(["endpoints", index, "address"], "must be an IP address with resolution STATIC (or use DNS)");
    }
  }
}

function checkDns(
  { hosts, endpoints, resolution }: Pick<SaidEntry, "hosts" | "resolution" | "endpoints">,
  report: Report,
): void {
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1)
    report(["endpoints"], "must have at most 1 entry with resolution DNS_ROUND_ROBIN");
  for (const [index, { address }] of endpoints.entries()) {
    if (address === "" || isUnixAddress(address))
      report(
        ["endpoints", index, "address"],
        `must be a host name or an IP address with resolution ${resolution}`,
      );
  }
  for (const [index, host] of hosts.entries()) {
    if (endpoints.length === 0 && !isHostName(host))
      report(["hosts", index], `must not have a wildcard with resolution ${resolution} and no endpoints`);
  }
}

/** Each call is resolved by the name that it is for. */
function checkDynamicDns(
  { hosts, ports, endpoints }: Pick<SaidEntry, "hosts" | "ports" | "endpoints">,
  report: Report,
): void {
  if (endpoints.length > 0) report(["endpoints"], "must not be set with resolution DYNAMIC_DNS");
  for (const [index, host] of hosts.entries()) {
    if (!host.startsWith("*")) report(["hosts", index], "must begin with `*` with resolution DYNAMIC_DNS");
  }
  for (const [index, { protocol }] of ports.entries()) {
    if (!DYNAMIC.includes(protocol))
      report(
        ["ports", index, "protocol"],
        `must be one of ${DYNAMIC.join(", ")} with resolution DYNAMIC_DNS`,
      );
  }
}
