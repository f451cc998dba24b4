import type { Cluster, Transport } from "../../model/cluster.ts";
import type { CalledHost } from "../tls/foreign-tls.ts";
import type { CallEnds } from "./proxy-header.ts";

/** What sets connections apart from others to the same host. */
export interface PoolVariant {
  /** Equal for calls that can share connections. */
  readonly key: string;
  /** TLS is for this host. */
  readonly called: CalledHost | undefined;
  /** Told to the server before anything else (PROXY protocol). */
  readonly caller: CallEnds | undefined;
  /** The caller spoke HTTP/2, and so does the connection. */
  readonly http2: boolean;
  /** Its mesh TLS says that it is HTTP, whatever the cluster says. */
  readonly saysHttp: boolean;
}

/** Of the connections for a call to a host with this transport; undefined: they are like any others. */
export function variantOf(
  { hostTls, http }: Cluster,
  { kind, proxyProtocol }: Transport,
  authority: string,
  ends: CallEnds,
  { isHttp2, saysHttp }: { readonly isHttp2: boolean; readonly saysHttp: boolean },
): PoolVariant | undefined {
  const http2 = http === "as-called" && isHttp2;
  const called =
    kind === "tls" && (hostTls.sni || hostTls.verify)
      ? { serverName: authority.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""), verify: hostTls.verify }
      : undefined;
  if (called === undefined && proxyProtocol === undefined && !http2 && !saysHttp) return undefined;
  const caller = proxyProtocol && ends;
  const key = [
    http2 ? "h2" : "",
    saysHttp ? "http" : "",
    called?.serverName ?? "",
    ...(caller ? [caller.remoteAddress, caller.remotePort, caller.localAddress, caller.localPort] : []),
  ].join("|");
  return { key, called, caller, http2, saysHttp };
}
