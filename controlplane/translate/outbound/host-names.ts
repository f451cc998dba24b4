import { isIP } from "node:net";
import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { Service } from "../../../mesh/model/service.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { HostName } from "../../../mesh/xds/gen/lateen/names/v1/names.ts";
import type { EgressScope } from "../../policy/egress-scope.ts";
import { serviceFor } from "../../policy/services.ts";
import { contentKey } from "../encode.ts";
import type { Scope } from "../memo.ts";
import { namedResource } from "../resource.ts";
import { serviceDomains } from "../routes/domains.ts";
import type { EgressClass } from "./egress-class.ts";

/**
 * What DNS tells the workloads of a class: of each host that they call at an address of its own, that address, by all names
 * that its calls may have in their host header. `callable`: what their listeners are for.
 */
export function hostNames(scope: Scope, of: EgressClass, callable: EgressScope): SharedMap<EncodedResource> {
  if (!of.ways.captured && of.ways.vips === "none") return SharedMap.empty();
  const anywhere = callable.listeners.filter(({ port }) => port === undefined || of.ways.captured);
  const hosts = new Set(anywhere.flatMap((listener) => listener.hosts));
  return scope.collect(`host-names/${of.key}`, [...hosts], (member, hostname) => {
    const service = serviceFor(member.view, hostname, of.client);
    if (service === undefined || !isTold(service)) return new Map();
    const key = `host-name/${of.key}/${contentKey(service)}`;
    const build = (inner: Scope): HostName => toHostName(inner, service, of);
    const named = namedResource(member, key, HostName, build, (message) => message.hostname);
    return new Map([[named.name, named]]);
  });
}

/**
 * One whose proxy asks DNS for its own name is left out: the proxy would be told its own listener. So is one that has no
 * single address.
 */
function isTold({ resolution, addresses }: Service): boolean {
  return resolution === "static" && addresses.some((one) => isIP(one) !== 0);
}

function toHostName({ view }: Scope, service: Service, { client }: EgressClass): HostName {
  const { hostname, addresses, ports } = service;
  const domains = serviceDomains(view, service, client);
  return {
    hostname: hostname.toLowerCase(),
    aliases: domains.filter((one) => one !== hostname && isIP(one) === 0 && !/[[.]$|^\[/.test(one)),
    addresses: addresses.filter((one) => isIP(one) !== 0),
    ports: ports.map(({ number, name }) => ({ number, name })),
  };
}
