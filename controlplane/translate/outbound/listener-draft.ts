import { isServerFirst } from "../../../mesh/model/protocols.ts";
import type { ServicePort } from "../../../mesh/model/service.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { mayBeHttp } from "../protocols.ts";
import type { PlannedListener, TcpClaim } from "./egress-plan.ts";

/** A listener as long as it is not known who else comes in there. */
export interface ListenerDraft {
  readonly bind: SocketAddress;
  readonly binds: boolean;
  /** A Sidecar named this very listener: what is found for every port stays out of it. */
  readonly explicit: boolean;
  routeName: string | undefined;
  looksUpHosts: boolean;
  readonly tcp: TcpClaim[];
  /** The host that it is for because its connections must not wait for first bytes. */
  serverFirst: string | undefined;
}

export function newDraft(bind: SocketAddress, binds: boolean, explicit: boolean): ListenerDraft {
  return {
    bind,
    binds,
    explicit,
    routeName: undefined,
    looksUpHosts: false,
    tcp: [],
    serverFirst: undefined,
  };
}

/**
 * Why a port cannot come in beside those that are there; undefined: it can. A server that speaks first and one whose
 * calls are told by first bytes have no listener in common: the older has it, as in Istio.
 */
export function keptOut(draft: ListenerDraft, port: ServicePort): string | undefined {
  const place = `port ${port.number} at ${draft.bind.address}`;
  if (draft.serverFirst !== undefined && mayBeHttp(port.protocol))
    return `${place} is that of ${draft.serverFirst}, whose server may speak first, so that no first bytes are waited for`;
  const looks = draft.routeName !== undefined || draft.tcp.some(({ httpRoutes }) => httpRoutes !== undefined);
  if (looks && isServerFirst(port))
    return `${place} is that of services whose calls are told by their first bytes, for which a server that speaks first would wait: give it an address of its own`;
  return undefined;
}

/** Takes a port's connections in. The answer says who has them already; undefined: nobody. */
export function claimBytes(draft: ListenerDraft, claim: TcpClaim): string | undefined {
  const { tls, destinations, httpRoutes } = claim;
  const all = tls || destinations.length > 0 ? undefined : draft.tcp.find(takesAll);
  // Bytes that are the older's leave HTTP to one that may speak it.
  if (all !== undefined && (httpRoutes === undefined || all.httpRoutes !== undefined)) return all.hostname;
  draft.tcp.push(claim);
  return undefined;
}

export function toListener(
  name: string,
  { bind, binds, routeName, looksUpHosts, tcp }: ListenerDraft,
): PlannedListener {
  return { name, bind, binds, routeName, looksUpHosts, tcp };
}

function takesAll({ tls, destinations }: TcpClaim): boolean {
  return !tls && destinations.length === 0;
}
