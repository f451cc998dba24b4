import { isIP } from "node:net";
import { isDnsLabel, isWildcardHost } from "./dns-names.ts";
import { quoted } from "./finding.ts";

/** `namespace/host` in its two parts; undefined where there is no slash. */
export function splitNamespacedHost(
  written: string,
): { readonly namespace: string; readonly host: string } | undefined {
  const slash = written.indexOf("/");
  if (slash < 0) return undefined;
  return { namespace: written.slice(0, slash), host: written.slice(slash + 1) };
}

/** What is wrong with a host of a Gateway: `host` or `namespace/host`. */
export function gatewayHostProblem(written: string): string | undefined {
  const parts = splitNamespacedHost(written) ?? { namespace: "*", host: written };
  return namespaceProblem(parts.namespace) ?? hostProblem(parts.host, isIP(parts.host) === 4);
}

/** What is wrong with a host of a Sidecar's egress: `namespace/host`, with `~` before a namespace that is taken out. */
export function egressHostProblem(written: string): string | undefined {
  const parts = splitNamespacedHost(written);
  if (parts === undefined) return `${quoted(written)} has no namespace: write \`./\` or \`*/\` before it`;
  const excluded = parts.namespace.startsWith("~") ? parts.namespace.slice(1) : parts.namespace;
  const none = parts.namespace === "~";
  return (none ? undefined : namespaceProblem(excluded)) ?? hostProblem(parts.host, false);
}

function namespaceProblem(namespace: string): string | undefined {
  if (namespace === "") return "has no namespace before the slash";
  if (namespace === "*" || namespace === "." || isDnsLabel(namespace)) return undefined;
  return `${quoted(namespace)} is not a namespace: \`*\`, \`.\` or a DNS label`;
}

/** Istio takes no name without a dot here, as its namespace is not that of the object. */
function hostProblem(host: string, address: boolean): string | undefined {
  if (host === "") return "has no host after the slash";
  if (host === "*" || address) return undefined;
  if (!host.includes("."))
    return `${quoted(host)} is a short name: write the full one, like reviews.default.svc.cluster.local`;
  if (!isWildcardHost(host))
    return `${quoted(host)} is not a host name: labels joined by dots, \`*\` only as the first`;
  if (host.startsWith("*") && !host.startsWith("*."))
    return `${quoted(host)} has a wildcard in a part of a label: \`*\` must be the whole first label`;
  return undefined;
}
