import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Vips } from "../../mesh/model/workload.ts";

/** Of the range that services get their addresses from (mesh/model/vips.ts); nobody has it. */
const PROBE_ADDRESS = "240.240.0.0";

/**
 * Whether any process here may bind the mesh's own addresses: it may where the host has a local route for them
 * (`ip route add local 240.240.0.0/16 dev lo`), or binds what it does not have (`ip_nonlocal_bind`).
 */
async function hasVipRoute(): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    socket.bind(0, PROBE_ADDRESS);
    await once(socket, "listening");
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/** How proxies of this host listen at the addresses of services, as its configuration says. */
export async function chooseVips(configured: "auto" | Exclude<Vips, "none">): Promise<Exclude<Vips, "none">> {
  if (configured !== "auto") return configured;
  return (await hasVipRoute()) ? "routed" : "loopback";
}
