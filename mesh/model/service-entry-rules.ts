import { isIP } from "node:net";
import { isHostName } from "./dns-names.ts";
import type { Report } from "./schema-rule.ts";
import type { ServiceEntryPort, ServiceEntrySpec } from "./service-entry.ts";
import { isUnixAddress } from "./workload-entry.schema.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";

type Resolution = ServiceEntrySpec["resolution"];

export function checkPorts(ports: readonly ServiceEntryPort[], report: Report): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const [index, { name, number }] of ports.entries()) {
    if (names.has(name)) report(["ports", index, "name"], `names port ${name} a second time`);
    if (numbers.has(number)) report(["ports", index, "number"], `has port ${number} a second time`);
    names.add(name);
    numbers.add(number);
  }
  if (ports.length === 0) report(["ports"], "must have at least 1 entry");
}

/** A range is not an address to which a call could be made, so it goes with the resolutions that make none up. */
export function checkAddresses(addresses: readonly string[], resolution: Resolution, report: Report): void {
  for (const [index, address] of addresses.entries()) {
    if (address.includes("/") && resolution !== "NONE" && resolution !== "STATIC")
      report(["addresses", index], `must not be a range with resolution ${resolution}`);
  }
}

/** Several hosts behind one port are told apart by the HTTP host or the TLS server name; plain TCP has neither. */
export function checkHosts(
  entry: Pick<ServiceEntrySpec, "hosts" | "addresses" | "ports" | "resolution">,
  report: Report,
): void {
  if (entry.hosts.length < 2 || entry.addresses.length > 0 || entry.resolution === "NONE") return;
  for (const [index, { protocol }] of entry.ports.entries()) {
    if (protocol === "tcp")
      report(["ports", index, "protocol"], "must not be TCP when there are several hosts");
  }
}

export function checkResolution(
  entry: Pick<ServiceEntrySpec, "hosts" | "ports" | "resolution" | "endpoints">,
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
      if (endpoints.length > 0) report(["endpoints"], "must not be set with resolution DYNAMIC_DNS");
      for (const [index, host] of entry.hosts.entries()) {
        if (!host.startsWith("*"))
          report(["hosts", index], "must begin with `*` with resolution DYNAMIC_DNS");
      }
  }
}

export function checkEndpointPorts(
  endpoints: readonly WorkloadEntrySpec[],
  ports: readonly ServiceEntryPort[],
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
  ports: readonly ServiceEntryPort[],
  report: Report,
): void {
  for (const [index, { address }] of endpoints.entries()) {
    if (isUnixAddress(address)) {
      if (ports.length !== 1) report(["ports"], "must be exactly one with a unix:// endpoint");
    } else if (isIP(address) === 0) {
      report(["endpoints", index, "address"], "must be an IP address with resolution STATIC (or use DNS)");
    }
  }
}

function checkDns(
  { hosts, endpoints, resolution }: Pick<ServiceEntrySpec, "hosts" | "resolution" | "endpoints">,
  report: Report,
): void {
  if (resolution === "DNS_ROUND_ROBIN" && endpoints.length > 1)
    report(["endpoints"], "must have at most 1 entry with resolution DNS_ROUND_ROBIN");
  for (const [index, { address }] of endpoints.entries()) {
    if (isUnixAddress(address))
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
