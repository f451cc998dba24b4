import { hostname } from "node:os";
import type { ServerConfig } from "./config.ts";

export interface AdvertisedAddresses {
  /** For the server's certificate. */
  readonly hosts: readonly string[];
  /** `host:port` for join tokens, given the port that was bound. */
  at(boundPort: number): readonly string[];
}

/** How agents reach this server: as configured, else the address that it listens on, else the host's name. */
export function advertisedAddresses({ agents }: ServerConfig): AdvertisedAddresses {
  if (agents.advertise.length > 0) {
    return {
      hosts: agents.advertise.map((address) => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")),
      at: () => agents.advertise,
    };
  }
  const everywhere = agents.address === "0.0.0.0" || agents.address === "::";
  const host = everywhere ? hostname() : agents.address;
  return { hosts: [host], at: (port) => [`${host.includes(":") ? `[${host}]` : host}:${port}`] };
}
