import { hostMeanings } from "../../mesh/model/hosts.ts";
import type { MeshSettings } from "./mesh-snapshot.ts";

type Suffix = Pick<MeshSettings, "domainSuffix">;

/** Host names are compared without case, so they are kept in lower case. */
export function serviceHostname(name: string, namespace: string, { domainSuffix }: Suffix): string {
  return `${name}.${namespace}.svc.${domainSuffix}`.toLowerCase();
}

/** The service and namespace that a host name of this mesh stands for; undefined for a foreign one. */
export function parseServiceHostname(
  hostname: string,
  { domainSuffix }: Suffix,
): { readonly name: string; readonly namespace: string } | undefined {
  const tail = `.svc.${domainSuffix}`;
  if (!hostname.endsWith(tail)) return undefined;
  const label = hostname.slice(0, -tail.length);
  const dot = label.lastIndexOf(".");
  if (dot <= 0 || dot === label.length - 1) return undefined;
  return { name: label.slice(0, dot), namespace: label.slice(dot + 1) };
}

/** What a host that somebody wrote in an object or an upstream of `namespace` can mean: see `hostMeanings`. */
export function hostPatterns(host: string, namespace: string, { domainSuffix }: Suffix): readonly string[] {
  return hostMeanings(host, namespace, domainSuffix);
}

/**
 * The patterns that cover a host name, most specific first: itself, then `*` with each of its endings that begins with a
 * dot or, as in `*-api.example.com`, a dash, then `*`.
 */
export function patternsCovering(hostname: string): readonly string[] {
  const patterns = [hostname];
  for (let index = 1; index < hostname.length; index++) {
    const isBoundary = hostname[index] === "." || hostname[index] === "-";
    if (isBoundary && hostname[index - 1] !== "*") patterns.push(`*${hostname.slice(index)}`);
  }
  if (hostname !== "*") patterns.push("*");
  return patterns;
}
