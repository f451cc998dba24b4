import { createServer } from "node:net";

/** One simulated host of a test: a workload with its application, and an agent beside it. */
export interface HostSpec {
  /** Of the host, its agent and its workload: `reviews-v1`. */
  readonly name: string;
  readonly service: string;
  readonly version?: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Default: the service's name. */
  readonly serviceAccount?: string;
  /** Default: the mesh's. */
  readonly dataPlane?: "builtin" | "envoy";
  /** Default `http`, at port 9080 as `grpc` is; `tcp` is at 9090. */
  readonly protocol?: "http" | "grpc" | "tcp";
  /** Services that it calls: `reviews`, `store:9090`, `reviews.default.svc.cluster.local`. */
  readonly upstreams?: readonly string[];
  /** What its workload gets of the mesh; default: what its upstreams need. */
  readonly discovery?: "mesh" | "on-demand";
  /** Port of an HTTP forward proxy for its application; default: none. */
  readonly httpProxy?: number;
  /** Its connections are captured; only on a `CapturedGround`, where it is so unless this is false. */
  readonly captured?: boolean;
  /** Its captured application listens at its address only; default: at all. */
  readonly appAtAddress?: boolean;
  /** The network of its address. */
  readonly network?: string;
  /** The host runs a gateway instead of an application: its labels, and its ports as a service of the mesh. */
  readonly gateway?: GatewaySpec;
}

export interface GatewaySpec {
  readonly labels: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly port: number; readonly protocol: "http" | "tcp" | "tls" }[];
}

export interface PlacedHost extends HostSpec {
  /** Where others reach it; its data plane listens here. */
  readonly address: string;
  /** Where its application listens and its upstreams are bound. */
  readonly loopback: string;
}

export const HTTP_PORT = 9080;
export const TCP_PORT = 9090;
const FIRST_BIND_PORT = 9101;

export function protocolOf({ protocol = "http" }: HostSpec): "http" | "grpc" | "tcp" {
  return protocol;
}

export function portOf(host: HostSpec): number {
  return protocolOf(host) === "tcp" ? TCP_PORT : HTTP_PORT;
}

export function namespaceOf({ namespace = "default" }: HostSpec): string {
  return namespace;
}

export function serviceAccountOf({ serviceAccount, service }: HostSpec): string {
  return serviceAccount ?? service;
}

export function labelsOf({ service, version }: HostSpec): Readonly<Record<string, string>> {
  return { app: service, ...(version === undefined ? {} : { version }) };
}

/** As `lateen.upstreams` has them, with a port of its own for each. */
export function upstreamsOf(host: HostSpec): readonly string[] {
  return (host.upstreams ?? []).map((upstream, index) => {
    const target = upstream.includes(":") ? upstream : `${upstream}:${HTTP_PORT}`;
    return `${target}@${FIRST_BIND_PORT + index}`;
  });
}

/** The port on a host's loopback address that leads to one of its upstreams. */
export function bindPortOf(host: HostSpec, upstream: string): number {
  const index = (host.upstreams ?? []).indexOf(upstream);
  if (index < 0) throw new Error(`${host.name} has no upstream ${upstream}`);
  return FIRST_BIND_PORT + index;
}

/** `127.x.y` where nothing listens: the demo's blocks and this one's never meet. */
export async function freeBlock(): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const block = `127.${200 + Math.floor(Math.random() * 55)}.${1 + Math.floor(Math.random() * 250)}`;
    if ((await canBind(`${block}.200`, 15_012)) && (await canBind(`${block}.1`, HTTP_PORT))) return block;
  }
  throw new Error("no free loopback addresses for a mesh: look at ss -ltnp");
}

function canBind(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
