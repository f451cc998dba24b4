/** Where a service instance is registered; empty: what an open-source Consul has alone. */
export interface InstancePlace {
  readonly datacenter: string;
  readonly partition: string;
  readonly namespace: string;
  readonly node: string;
}

/**
 * A service ID is unique on its node, of its datacenter (and partition and namespace) only: `dc1/node-1/reviews-v1` is
 * unique. None of the names before the slash can have a dot.
 */
export function consulInstanceId(
  { datacenter, partition, namespace, node }: InstancePlace,
  serviceId: string,
): string {
  const parts = [datacenter, partition, namespace].map((name) => (name === "default" ? "" : name));
  const place = parts.join(".").replace(/\.+$/, "");
  return `${place}/${node}/${serviceId}`;
}

/** Names that can be a part of a host name and of a resource name. */
export function isServiceName(name: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/.test(name);
}
