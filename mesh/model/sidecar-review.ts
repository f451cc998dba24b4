import { splitNamespacedHost } from "./namespaced-host.ts";
import { isFields } from "./plain-data.ts";
import { protocolName, protocolOf } from "./protocol.schema.ts";
import { isNameless } from "./protocols.ts";
import type { Report } from "./schema-rule.ts";

/** What Istio accepts in an ingress listener and yet warns about. */
export function reviewIngress(listener: unknown, warn: Report): void {
  if (!isFields(listener) || !isFields(listener["port"]) || !isFields(listener["connectionPool"])) return;
  const protocol = protocolName.safeParse(listener["port"]["protocol"]);
  if (!protocol.success || listener["connectionPool"]["http"] === undefined) return;
  const spoken = protocolOf(protocol.data);
  if (spoken === "tls" || isNameless(spoken))
    warn(["connectionPool", "http"], "has no effect: the port's protocol is not HTTP");
}

/** What Istio accepts in an egress listener and yet warns about. */
export function reviewEgress(listener: unknown, warn: Report): void {
  if (!isFields(listener)) return;
  const { bind, port, hosts } = listener;
  if (typeof bind === "string" && bind !== "" && port === undefined)
    warn(["bind"], "has no effect without a port");
  if (Array.isArray(hosts)) reviewHosts(hosts, warn);
}

function reviewHosts(hosts: readonly unknown[], warn: Report): void {
  const seen = new Set<string>();
  const namespaces = new Set<string>();
  for (const [index, written] of hosts.entries()) {
    const parts = typeof written === "string" ? splitNamespacedHost(written) : undefined;
    if (parts === undefined || parts.namespace.startsWith("~")) continue;
    const { namespace, host } = parts;
    const covered = seen.has(`${namespace}/${host}`) || seen.has(`${namespace}/*`);
    if (covered || (host === "*" && namespaces.has(namespace)))
      warn(["hosts", index], "repeats what another host of the listener says");
    seen.add(`${namespace}/${host}`);
    namespaces.add(namespace);
  }
  if (seen.has("*/*") && namespaces.size > 1)
    warn(["hosts"], "has more than */*, which is everything already");
}
