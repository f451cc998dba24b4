import type { RouteConfiguration } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import type { VirtualHost } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { portStart } from "./http-request.ts";

export interface FoundVirtualHost {
  readonly virtualHost: VirtualHost;
  readonly domain: string;
  /** What was looked for. */
  readonly host: string;
}

/** The host that domains are compared with. */
export function hostToMatch({ ignorePortInHostMatching }: RouteConfiguration, authority: string): string {
  const at = ignorePortInHostMatching ? portStart(authority) : undefined;
  return authority.slice(0, at).toLowerCase();
}

/**
 * Envoy's search order (`config.route.v3.VirtualHost.domains`): the exact domain, the longest `*.suffix`, the longest
 * `prefix.*`, `*`. A wildcard stands for at least one character.
 */
export function findVirtualHost(
  configuration: RouteConfiguration,
  authority: string,
): FoundVirtualHost | undefined {
  const host = hostToMatch(configuration, authority);
  const candidates = configuration.virtualHosts.flatMap((virtualHost) =>
    virtualHost.domains.map((domain) => ({
      virtualHost,
      domain,
      host,
      rank: domainRank(domain.toLowerCase(), host),
    })),
  );
  let best: (FoundVirtualHost & { readonly rank: number }) | undefined;
  for (const { rank, ...found } of candidates) {
    if (rank !== undefined && (best === undefined || rank > best.rank)) best = { ...found, rank };
  }
  return best && { virtualHost: best.virtualHost, domain: best.domain, host: best.host };
}

/** Longer than any domain, so that the kinds do not mix. */
const KIND = 100_000;

function domainRank(domain: string, host: string): number | undefined {
  if (domain === "*") return 0;
  if (domain === host) return 3 * KIND;
  const { length } = domain;
  // At least one character for the star: a host as long as the domain has one.
  if (host.length < length) return undefined;
  if (domain.startsWith("*")) return host.endsWith(domain.slice(1)) ? 2 * KIND + length : undefined;
  if (domain.endsWith("*")) return host.startsWith(domain.slice(0, -1)) ? KIND + length : undefined;
  return undefined;
}
