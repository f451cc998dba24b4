import type { Protocol, ServicePort } from "./service.ts";

/** SMTP, DNS, MySQL and MongoDB, as Istio has them. */
const WELL_KNOWN: ReadonlySet<number> = new Set([25, 53, 3306, 27_017]);

/**
 * Whether a port's connections must go on at once: where the server speaks first, a proxy that waits for the caller's
 * first bytes waits for ever.
 */
export function isServerFirst({ number, protocol }: Pick<ServicePort, "number" | "protocol">): boolean {
  if (protocol === "mysql" || protocol === "mongo") return true;
  return protocol === "tcp" && WELL_KNOWN.has(number);
}

/** Whether connections may say nothing of the host that they are for, so that only an address tells services apart. */
export function isNameless(protocol: Protocol): boolean {
  return protocol === "tcp" || protocol === "mysql" || protocol === "mongo" || protocol === "auto";
}
