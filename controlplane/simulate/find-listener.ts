import type { SocketAddress } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import { TrafficDirection } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { Listener } from "../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { hostPort, sameAddress, wildcardOf } from "./addresses.ts";
import type { Call } from "./call.ts";
import { restoresDestination } from "./listener-filters.ts";

export interface FoundListener {
  readonly listener: Listener;
  /** The listener that the connection was redirected to first, when it handed it on. */
  readonly via: Listener | undefined;
  /** True when the connection's original destination is known and differs from where it was accepted. */
  readonly restored: boolean;
  readonly why: string;
}

type Destination = Pick<Call, "address" | "port">;

/**
 * The listener that gets a connection. A socket bound to the very address wins over one bound to all (as the kernel
 * chooses); what no socket takes is intercepted, if the proxy does that.
 */
export function findListener(listeners: Iterable<Listener>, call: Call): FoundListener | undefined {
  const all = [...listeners];
  const bound = all.filter(bindsToPort);
  const exact = bound.find((one) => isAt(one, call));
  const at = hostPort(call.address, call.port);
  if (exact !== undefined) return found(exact, undefined, `it is bound to ${at}`);
  const wildcard = bound.find((one) => isAtWildcard(one, call));
  if (wildcard !== undefined) {
    return found(wildcard, undefined, `it is bound to port ${call.port} of all addresses`);
  }
  return call.direction === "outbound" ? interceptOutbound(all, call) : interceptInbound(bound, at);
}

function found(listener: Listener, via: Listener | undefined, why: string): FoundListener {
  return { listener, via, restored: via !== undefined, why };
}

/**
 * Envoy's hand-over by original destination (`use_original_dst`): the listener for the very address, bound or not, else
 * the one for all addresses at this port, else the virtual listener keeps the connection itself.
 */
function interceptOutbound(all: readonly Listener[], call: Call): FoundListener | undefined {
  const virtual = all.find(
    (one) =>
      bindsToPort(one) && one.useOriginalDst === true && one.trafficDirection !== TrafficDirection.INBOUND,
  );
  if (virtual === undefined) return undefined;
  const at = hostPort(call.address, call.port);
  const exact = all.find((one) => isAt(one, call));
  if (exact !== undefined) return found(exact, virtual, `it is for ${at}, the original destination`);
  const wildcard = all.find((one) => isAtWildcard(one, call));
  if (wildcard !== undefined) return found(wildcard, virtual, `it is for port ${call.port} of all addresses`);
  return {
    listener: virtual,
    via: undefined,
    restored: true,
    why: `no listener is for ${at}, so the virtual listener keeps it`,
  };
}

/** Inbound connections all stay with the virtual listener: its chains look at the original port. */
function interceptInbound(bound: readonly Listener[], at: string): FoundListener | undefined {
  const listener = bound.find(
    (one) => one.trafficDirection === TrafficDirection.INBOUND && restoresDestination(one),
  );
  return listener && { listener, via: undefined, restored: true, why: `it takes what comes in for ${at}` };
}

function bindsToPort({ bindToPort, deprecatedV1 }: Listener): boolean {
  return bindToPort ?? deprecatedV1?.bindToPort ?? true;
}

function isAt(listener: Listener, { address, port }: Destination): boolean {
  return socketsOf(listener).some((one) => one.portValue === port && sameAddress(one.address, address));
}

function isAtWildcard(listener: Listener, { address, port }: Destination): boolean {
  const wildcard = wildcardOf(address);
  return socketsOf(listener).some(
    (one) =>
      one.portValue === port &&
      (sameAddress(one.address, wildcard) || (one.ipv4Compat && sameAddress(one.address, "::"))),
  );
}

function socketsOf({ address, additionalAddresses }: Listener): readonly SocketAddress[] {
  return [address, ...additionalAddresses.map((one) => one.address)].flatMap(
    (one) => one?.socketAddress ?? [],
  );
}
