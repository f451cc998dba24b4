import { createHash } from "node:crypto";

/**
 * The name of a service instance of Consul or Nomad as a workload. A service that is registered without an ID of its own has its
 * name as ID, on every node: then the node's name makes it unique. Characters that a workload's name cannot have become
 * `-`, with a short hash of the whole, so that two such IDs never become one name.
 */
export function workloadName(serviceId: string, service: string, node: string): string {
  const id = serviceId === service ? `${service}-${node}` : serviceId;
  if (/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,198}[A-Za-z0-9_])?$/.test(id)) return id;
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 8);
  const plain = id
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 180);
  return plain === "" ? `service-${hash}` : `${plain}-${hash}`;
}
