import { type EchoApp, Failures, startHttp2Echo, startHttpEcho, startTcpEcho } from "./mesh-apps.ts";
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

/** Hosts are loopback addresses of this machine, applications parts of this process unless others are given. */
export async function loopbackGround(
  application?: (host: PlacedHost) => Promise<EchoApp>,
): Promise<MeshGround> {
  const block = await freeBlock();
  const failures = new Failures();
  const start = application ?? ((host: PlacedHost) => startApp(host, failures));
  return {
    server: { address: `${block}.200`, within: undefined },
    place: async (host, index) => {
      const spec = { ...host, address: `${block}.${index + 1}`, loopback: `${block}.${index + 101}` };
      return { spec, app: await start(spec), within: undefined };
    },
  };
}

async function startApp(host: PlacedHost, failures: Failures): Promise<EchoApp> {
  const { name, loopback } = host;
  if (host.gateway !== undefined) return NO_APP;
  switch (protocolOf(host)) {
    case "http":
      return startHttpEcho(name, loopback, portOf(host), failures);
    case "grpc":
      return startHttp2Echo(name, loopback, portOf(host));
    default:
      return startTcpEcho(name, loopback, portOf(host));
  }
}

/** A gateway's host has no application. */
export const NO_APP: EchoApp = { taken: () => 0, [Symbol.asyncDispose]: async () => {} };
