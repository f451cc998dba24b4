import { type EchoApp, Failures, startHttpEcho, startTcpEcho } from "./mesh-apps.ts";
import { freeBlock, type HostSpec, type PlacedHost, portOf, protocolOf } from "./mesh-topology.ts";
import type { Namespace } from "./network-lab.ts";

/** Where the hosts of a mesh stand. */
export interface MeshGround {
  readonly server: { readonly address: string; readonly within: Namespace | undefined };
  /** Gives a host its addresses and starts its application. */
  place(spec: HostSpec, index: number): Promise<Place>;
}

interface Place {
  readonly spec: PlacedHost;
  readonly app: EchoApp;
  readonly within: Namespace | undefined;
}

/** Hosts are loopback addresses of this machine, applications parts of this process. */
export async function loopbackGround(): Promise<MeshGround> {
  const block = await freeBlock();
  const failures = new Failures();
  return {
    server: { address: `${block}.200`, within: undefined },
    place: async (host, index) => {
      const spec = { ...host, address: `${block}.${index + 1}`, loopback: `${block}.${index + 101}` };
      return { spec, app: await startApp(spec, failures), within: undefined };
    },
  };
}

async function startApp(host: PlacedHost, failures: Failures): Promise<EchoApp> {
  const { name, loopback } = host;
  if (host.gateway !== undefined) return NO_APP;
  return protocolOf(host) === "http"
    ? startHttpEcho(name, loopback, portOf(host), failures)
    : startTcpEcho(name, loopback, portOf(host));
}

/** A gateway's host has no application. */
export const NO_APP: EchoApp = { taken: () => 0, [Symbol.asyncDispose]: async () => {} };
