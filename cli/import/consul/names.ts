import { isDnsLabel } from "../../../mesh/model/dns-names.ts";

/** A name that an object and a service account may have: a DNS label, as near to Consul's name as can be. */
export function objectName(name: string): string {
  if (isDnsLabel(name)) return name;
  const made = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .slice(0, 63);
  return made.replaceAll(/^-+|-+$/g, "") || "unnamed";
}

/** The namespace of an entry: Consul's community edition has none, and its `default` is ours of the import. */
export function namespaceOf(written: string | undefined, fallback: string): string {
  return written === undefined || written === "default" ? fallback : objectName(written);
}

/** A service's host as an object of `home` names it. */
export function hostOf(service: string, namespace: string, home: string): string {
  return namespace === home ? service : `${service}.${namespace}`;
}
