import type { Destination } from "../../transport/original-destination.ts";
import type { NameCache } from "../upstream/name-cache.ts";
import type { LocalReply } from "./local-reply.ts";

/** Where a request goes by the host that it is for, or what is answered where nobody knows. */
export async function lookUpHost(
  names: NameCache,
  authority: string,
  defaultPort: number,
): Promise<Destination | LocalReply> {
  const [, name = "", port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  const found = await names.lookUp(name.replace(/^\[|\]$/g, ""));
  switch (found.kind) {
    case "address":
      return { address: found.address, port: port === undefined ? defaultPort : Number(port) };
    case "unknown":
      return {
        status: 503,
        body: "DNS resolution failure",
        flag: "DF",
        details: "dns_resolution_failure",
      };
    case "overflow":
      return {
        status: 503,
        body: "Dynamic forward proxy pending request overflow",
        flag: "UO",
        details: "dynamic_forward_proxy_pending_request_overflow",
      };
    default:
      return found satisfies never;
  }
}
