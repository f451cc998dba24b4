/** A service ID is unique on its node only: `node-1/reviews-v1` is unique in the datacenter. */
export function consulInstanceId(node: string, serviceId: string): string {
  return `${node}/${serviceId}`;
}

/** Consul's check statuses under which it would still send traffic to an instance. */
export function isHealthyStatus(status: string): boolean {
  return status === "passing" || status === "warning";
}

/** Names that can be a part of a host name and of a resource name. */
export function isServiceName(name: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/.test(name);
}
