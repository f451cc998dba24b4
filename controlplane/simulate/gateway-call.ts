import type { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import type { AuthzCaller, AuthzQuestion } from "./authz-call.ts";
import { type Call, PLAIN_CALL } from "./call.ts";
import type { Verdict } from "./verdict.ts";
import type { XdsConfig } from "./xds-config.ts";

/** Whatever clients of a gateway offer. */
const ALPN = { http: ["h2", "http/1.1"], tcp: [] } as const;

/**
 * A call that came in at a port of a gateway, out of what was seen of it. Undefined where nobody can say which of the
 * gateway's servers took it: no listener has the port, or it is told by a server's name that was not recorded.
 */
export function gatewayCall(
  { listeners }: XdsConfig,
  port: number,
  { principal, address }: AuthzCaller,
  { method, path, headers, hidden, protocol = "http" }: AuthzQuestion,
): Call | undefined {
  const at = [...listeners.values()].filter((one) => one.address?.socketAddress?.portValue === port);
  const [listener] = at;
  // Of several addresses the call was to one, and which was not seen.
  if (listener === undefined || at.length > 1) return undefined;
  const [, host = ""] = headers.find(([name]) => name.toLowerCase() === "host") ?? [];
  const isHostKnown = protocol === "http" && hidden?.host !== "hidden";
  // Clients name the host in the handshake that they ask for afterwards.
  const sni = isHostKnown ? host.replace(/:\d+$/, "").toLowerCase() : undefined;
  if (sni === undefined && isTold(listener)) return undefined;
  const tls = speaksTls(listener) ? { sni: sni ?? "", alpn: ALPN[protocol] } : undefined;
  return {
    ...PLAIN_CALL,
    address: listener.address?.socketAddress?.address ?? "",
    port,
    protocol,
    tls,
    method,
    host,
    path,
    headers,
    source: { address, port: undefined, principal: tls && principal },
    direction: "inbound",
    hidden,
  };
}

/**
 * Whether what became of a call is a matter of policies: it was taken at all. One that was seen has shown a certificate
 * where one is asked for; when that has no identity of a mesh, nothing is known of it here.
 */
export function isTaken({ outcome, filterChain }: Verdict): boolean {
  if (outcome.kind !== "error") return true;
  return filterChain !== undefined && outcome.error.kind !== "connection-reset";
}

function isTold({ filterChains }: Listener): boolean {
  return filterChains.some(({ filterChainMatch: match }) => (match?.serverNames.length ?? 0) > 0);
}

function speaksTls(listener: Listener): boolean {
  return (
    isTold(listener) ||
    listener.filterChains.some(
      ({ transportSocket, filterChainMatch: match }) =>
        transportSocket !== undefined || match?.transportProtocol === "tls",
    )
  );
}
