import { writtenField, writtenList } from "./schema-notice.ts";
import type { Report } from "./schema-rule.ts";

/** What is valid in a ServiceEntry and yet hardly meant; it looks at what was written. */
export function reviewServiceEntry(spec: unknown, warn: Report): void {
  const resolution = writtenField(spec, "resolution") ?? "NONE";
  const ports = writtenList(spec, "ports");
  const protocols = ports.map((port) => protocolOf(port));
  if (ports.length === 0) warn(["ports"], "is empty, so nothing calls this service");
  for (const [index, protocol] of protocols.entries()) {
    if (protocol === "UDP") warn(["ports", index, "protocol"], "UDP is left out: the proxies carry TCP");
  }
  if (resolution !== "DYNAMIC_DNS") reviewWildcards(writtenList(spec, "hosts"), warn);
  if (resolution === "DNS" || resolution === "DNS_ROUND_ROBIN") reviewAddresses(spec, protocols, warn);
  const selector = writtenField(spec, "workloadSelector");
  if (selector !== undefined && resolution === "NONE")
    warn(["workloadSelector"], "does nothing with resolution NONE");
}

function reviewWildcards(hosts: readonly unknown[], warn: Report): void {
  for (const [index, host] of hosts.entries()) {
    if (typeof host === "string" && /^\*[^.]/.test(host))
      warn(["hosts", index], "has a wildcard for a part of a label, which DNS and TLS do not know");
  }
}

function reviewAddresses(spec: unknown, protocols: readonly string[], warn: Report): void {
  const shared = writtenList(spec, "addresses").length > 0 && writtenList(spec, "hosts").length > 1;
  if (shared && protocols.some((protocol) => protocol === "HTTPS" || protocol === "TLS"))
    warn(["addresses"], "are shared by several hosts, which TCP does not tell apart");
}

function protocolOf(port: unknown): string {
  const protocol = writtenField(port, "protocol");
  return typeof protocol === "string" ? protocol.toUpperCase() : "";
}
