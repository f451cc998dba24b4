import type { ConnectionOptions } from "node:tls";
import type { PlacedWorkload } from "../../mesh/model/workload.ts";
import type { Echo, Place } from "./wire-apps.ts";
import type { WireRun } from "./wire-run.ts";

/** Where an application of the table listens. */
export type At = (app: string) => Place;

/** Objects, and what becomes of calls under them. */
export interface WireCase {
  readonly name: string;
  /** In the order of their creation. */
  readonly yaml: (at: At) => string;
  /** The workload that calls; `default/caller` with label `app: caller` where nothing is said. */
  readonly caller?: Partial<PlacedWorkload>;
  /** Other workloads of the mesh, with their ports at applications. */
  readonly workloads?: (at: At) => readonly PlacedWorkload[];
  /** Upstreams that the calls do not name, and `run` calls. */
  readonly upstreams?: readonly string[];
  readonly calls?: readonly WireCall[];
  /** What cannot be said as a list of calls; after these. */
  readonly run?: (wire: WireRun) => Promise<void>;
  /** What the built-in proxy does not do yet. */
  readonly builtin?: Missing;
}

/** `refuses`: words with which it refuses the configuration. `lacks`: what it does otherwise, where it takes it. */
export type Missing = { readonly refuses: string } | { readonly lacks: string };

interface Target {
  /**
   * `host:port`: a declared upstream; `vip host:port`: the service's own address, bound on loopback; `proxy host:port`: the
   * HTTP forward proxy; `gateway host:port`: a gateway's own port.
   */
  readonly to: string;
  /** The last number of the caller's address, 1 to 254. */
  readonly source?: number;
}

export interface HttpCall extends Target {
  readonly kind: "http";
  readonly path?: string;
  readonly method?: string;
  /** `host` is the upstream's host unless it is given. */
  readonly headers?: Readonly<Record<string, string>>;
  /** HTTP/2 with prior knowledge. */
  readonly http2?: boolean;
  /** Over TLS, with this server name. */
  readonly tls?: Pick<ConnectionOptions, "servername" | "cert" | "key">;
  readonly body?: string;
}

export interface TcpCall extends Target {
  readonly kind: "tcp";
  /** TLS with this server name. */
  readonly serverName?: string;
  /** What the caller offers and shows in that TLS, where it is not what Node does by itself. */
  readonly offers?: Pick<
    ConnectionOptions,
    "minVersion" | "maxVersion" | "ciphers" | "ecdhCurve" | "cert" | "key"
  >;
  /** The caller says nothing: it waits for the server's first words. */
  readonly silent?: boolean;
}

export type Call = HttpCall | TcpCall;

export interface Want {
  /** HTTP; 0: no answer at all. */
  readonly status?: number;
  /** Who answered, `nobody` among them. */
  readonly from?: string;
  /** What the application saw. */
  readonly echo?: Partial<Echo>;
  /** Headers that it saw. Undefined: not there. */
  readonly seen?: Readonly<Record<string, string | undefined>>;
  /** Of the answer. */
  readonly answer?: Readonly<Record<string, string | undefined>>;
  /** From the call to its end, in milliseconds. */
  readonly tookMs?: readonly [least: number, most: number];
}

/** How many of a number of calls went where: a range each. Applications that are not named get none. */
export type Shares = Readonly<Record<string, readonly [least: number, most: number]>>;

export type WireCall =
  | { readonly call: Call; readonly want: Want }
  | { readonly call: Call; readonly times: number; readonly shares: Shares };

/** One HTTP call. */
export function http(to: string, want: Want | string, over: Partial<HttpCall> = {}): WireCall {
  return { call: { kind: "http", to, ...over }, want: typeof want === "string" ? { from: want } : want };
}

/** One TCP connection. */
export function tcp(to: string, want: Want | string, over: Partial<TcpCall> = {}): WireCall {
  return { call: { kind: "tcp", to, ...over }, want: typeof want === "string" ? { from: want } : want };
}

/** The same call again and again. */
export function many(times: number, { call }: WireCall, shares: Shares): WireCall {
  return { call, times, shares };
}

interface Endpoint extends Place {
  readonly labels?: Readonly<Record<string, string>>;
  readonly locality?: string;
  readonly weight?: number;
  readonly serviceAccount?: string;
}

/** A ServiceEntry with ports such as `80 HTTP, 81 HTTP`, at places that are known; more of its spec in flow style. */
export function entry(
  host: string,
  ports: string,
  endpoints: readonly Endpoint[],
  more = "location: MESH_EXTERNAL, resolution: STATIC",
  metadata = `{ name: ${nameFor(host)} }`,
): string {
  const wanted = ports.split(", ").map((text, index) => {
    const [number, protocol] = text.split(" ");
    return { number: Number(number), name: `p${index}`, protocol };
  });
  const list = endpoints.map(({ address, port, ...rest }) => {
    const at = port === 0 ? {} : { ports: Object.fromEntries(wanted.map(({ name }) => [name, port])) };
    return { address, ...at, ...rest };
  });
  const places = list.length === 0 ? "" : `endpoints: ${JSON.stringify(list)}, `;
  return `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: ${metadata}
spec: { hosts: ["${host}"], ports: ${JSON.stringify(wanted)}, ${places}${more} }`;
}

/** A VirtualService with this spec in flow style, `hosts` not among it. */
export function routes(
  hosts: string | readonly string[],
  spec: string,
  metadata = `{ name: ${nameFor([hosts].flat()[0] ?? "")} }`,
): string {
  return `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: ${metadata}
spec: { hosts: ${JSON.stringify([hosts].flat())}, ${spec} }`;
}

/** A DestinationRule with this spec in flow style, `host` not among it. */
export function rule(host: string, spec: string, metadata = `{ name: ${nameFor(host)} }`): string {
  return `
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: ${metadata}
spec: { host: "${host}", ${spec} }`;
}

function nameFor(host: string): string {
  return host.replace("*", "any");
}
