import type { LocalService } from "../discovery/discovery.ts";
import { isCapturePort } from "./capture-ports.ts";
import { covers, findHolder, type ListeningSocket, readListeningSockets } from "./listening-sockets.ts";
import { parentOf } from "./parent-process.ts";
import { HostPorts } from "./ports.ts";

/**
 * The host's listening sockets, as a plan for these services needs them. Holders are looked up only for the ports that
 * the plan asks for: it means a walk through /proc. Sockets of `ownPids`, this agent's data planes, are in nobody's way,
 * nor are those that are gone by the end of the walk: a data plane that is just being stopped has no holder any more,
 * and must not be taken for an application.
 */
export async function readHostPorts(
  services: readonly LocalService[],
  loopback: string,
  ownPids: ReadonlySet<number>,
  look: () => Promise<readonly ListeningSocket[]> = readListeningSockets,
): Promise<HostPorts> {
  const sockets = await look();
  const wanted = services.flatMap(({ address, app, inbound, upstreams, httpProxy }) => [
    address,
    ...(inbound?.kind === "mapped" ? [inbound.bind] : []),
    ...(app === undefined ? [] : [app]),
    { address: loopback, port: address.port },
    ...upstreams.map((upstream) => ({
      address: upstream.bindAddress ?? loopback,
      port: upstream.bindPort ?? upstream.port,
    })),
    ...(httpProxy === undefined ? [] : [{ address: httpProxy.address ?? loopback, port: httpProxy.port }]),
  ]);
  const captures = services.some(({ interception }) => interception !== "none");
  const asked = (socket: ListeningSocket): boolean =>
    (captures && isCapturePort(socket.port)) || wanted.some((place) => covers(socket, place));
  const foreign = sockets
    .filter(asked)
    .map((socket) => ({ ...socket, holder: findHolder(socket.inode) }))
    .filter(({ holder }) => holder === undefined || !isOwn(holder.pid, ownPids));
  const left = foreign.some(({ holder }) => holder === undefined) ? await look() : sockets;
  const still = new Set(left.map(({ inode }) => inode));
  return new HostPorts(
    foreign.filter(({ holder, inode }) => holder !== undefined || still.has(inode)),
    sockets,
  );
}

/** A data plane's successor is its child as long as both run. */
function isOwn(pid: number, ownPids: ReadonlySet<number>): boolean {
  return ownPids.has(pid) || ownPids.has(parentOf(pid) ?? 0);
}
