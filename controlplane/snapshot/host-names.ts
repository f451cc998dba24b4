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

/**
 * What a host that somebody wrote in an object or an upstream of `namespace` can mean, likeliest first. Short names are
 * of the own namespace, `reviews.prod` is also tried as service and namespace, `reviews.prod.mesh` is Lateen's spelling
 * (`reviews.mesh`: namespace `default`). A wildcard means itself.
 */
export function hostPatterns(host: string, namespace: string, settings: Suffix): readonly string[] {
  const name = host.toLowerCase().replace(/\.$/, "");
  if (name.startsWith("*")) return [name];
  const labels = name.split(".");
  if (labels.length === 1) return [serviceHostname(name, namespace, settings), name];
  if (labels.at(-1) === "mesh" && labels.length <= 3) {
    return [serviceHostname(labels[0] ?? "", labels.length === 3 ? (labels[1] ?? "") : "default", settings)];
  }
  if (labels.length === 2) return [name, `${name}.svc.${settings.domainSuffix}`];
  if (labels.length === 3 && labels[2] === "svc") return [`${name}.${settings.domainSuffix}`];
  return [name];
}

/** The patterns that cover a host name, most specific first: itself, `*.` and each parent, `*`. */
export function patternsCovering(hostname: string): readonly string[] {
  const labels = hostname.split(".");
  return [hostname, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`), "*"];
}
