import { hostMeanings } from "../../mesh/model/hosts.ts";
import type { StoredObject } from "../../mesh/model/object.ts";
import type { L4Match, TcpRoute } from "../../mesh/model/virtual-service.ts";
import type { CidrRange } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import type { FilterChain } from "../../mesh/xds/gen/envoy/config/listener/v3/listener_components.ts";
import { TcpProxy } from "../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import { BLACK_HOLE_CLUSTER } from "../../mesh/xds/names.ts";
import { cidrRange } from "../translate/addresses.ts";
import { unpack } from "./xds-config.ts";

interface Rule {
  /** `tcp[0]`, `tls[2]`. */
  readonly name: string;
  readonly matches: readonly (L4Match & { readonly sniHosts?: readonly string[] })[];
  readonly route: TcpRoute["route"];
}

/**
 * Which TCP or TLS rule of its VirtualService a filter chain is: `tls[1]`. They have no names, so it is told by what the
 * chain asks for, and where that leaves several by where it leads. (A name in the chain would do, but a rule that moves
 * would then be another chain to Envoy, and its connections would be drained.) Empty where it cannot be told.
 */
export function ruleOfChain(
  virtualService: StoredObject<"VirtualService">,
  chain: FilterChain,
  domainSuffix: string,
): string {
  const { tls, tcp } = virtualService.spec;
  const rules: readonly Rule[] = [
    ...tls.map(({ match, route }, index) => ({ name: `tls[${index}]`, matches: match, route })),
    ...tcp.map(({ match, route }, index) => ({ name: `tcp[${index}]`, matches: match, route })),
  ];
  const { namespace } = virtualService.metadata;
  const asking = rules.filter((rule) => asksLike(rule, chain));
  const found =
    asking.length === 1 ? asking : asking.filter((rule) => leadsLike(rule, chain, namespace, domainSuffix));
  const [only] = found;
  return only === undefined || found.length > 1 ? "" : only.name;
}

function asksLike({ matches }: Rule, { filterChainMatch: chain }: FilterChain): boolean {
  const asked = matches.length === 0 ? [NO_MATCH] : matches;
  return asked.some(
    ({ sniHosts = [], destinationSubnets, sourceSubnet }) =>
      isSubset(
        chain?.serverNames ?? [],
        sniHosts.map((name) => name.toLowerCase()),
      ) &&
      (sniHosts.length === 0 || sniHosts.includes("*") || chain?.serverNames.length !== 0) &&
      // Without subnets the chain has the addresses of the service, or none.
      (destinationSubnets.length === 0 ||
        (chain?.prefixRanges.length !== 0 &&
          isSubset((chain?.prefixRanges ?? []).map(rangeText), destinationSubnets.map(blockText)))) &&
      (chain?.sourcePrefixRanges ?? []).map(rangeText).join() ===
        (sourceSubnet === "" ? "" : blockText(sourceSubnet)),
  );
}

const NO_MATCH: Pick<L4Match, "destinationSubnets" | "sourceSubnet"> & {
  readonly sniHosts?: readonly string[];
} = { destinationSubnets: [], sourceSubnet: "" };

/** To the same hosts and subsets, in the same order; what does not exist leads to the black hole. */
function leadsLike(
  { route }: Rule,
  { filters }: FilterChain,
  namespace: string,
  domainSuffix: string,
): boolean {
  const proxy = filters.map(({ typedConfig }) => unpack(typedConfig, "TcpProxy", TcpProxy)).find(Boolean);
  const names = proxy?.weightedClusters?.clusters.map(({ name }) => name) ?? [proxy?.cluster ?? ""];
  const wanted = route.length > 1 ? route.filter(({ weight }) => weight > 0) : route;
  return (
    names.length === wanted.length &&
    wanted.every(({ destination: { host, subset } }, index) => {
      const name = names[index] ?? "";
      const [, , chosen, hostname = ""] = name.split("|");
      return (
        name === BLACK_HOLE_CLUSTER ||
        (chosen === subset && hostMeanings(host, namespace, domainSuffix).includes(hostname))
      );
    })
  );
}

function isSubset(some: readonly string[], all: readonly string[]): boolean {
  return some.every((one) => all.includes(one));
}

function rangeText({ addressPrefix, prefixLen }: CidrRange): string {
  return `${addressPrefix}/${prefixLen}`;
}

/** A block as chains have it. */
function blockText(block: string): string {
  return rangeText(cidrRange(block));
}
