import type { ConsulSettings } from "../../../mesh/consul/consul-client.ts";
import { toReading } from "../../../mesh/consul/consul-config.ts";
import type { ServerConfig } from "../../config.ts";
import type { ScopeReading } from "./parse-answers.ts";

/** One of the catalogs that a Consul answers for: each is watched, judged and told of by itself. */
interface ConsulScope {
  /** `consul`; `consul/dc2`, `consul/dc2/shop` where there are several. */
  readonly name: string;
  readonly client: ConsulSettings;
  readonly reading: ScopeReading;
}

/** Tagged address of what is in another datacenter: Consul's own DNS gives it there, too. */
const WAN = "wan";

/**
 * A scope for each datacenter and namespace of a configuration. Where there are several datacenters, each is the region of
 * its instances that say none, and those beyond the first are reached at their `wan` address if they have one.
 */
export function consulScopes(config: NonNullable<ServerConfig["consul"]>): readonly ConsulScope[] {
  const { address, tokenFile, tls, partition, datacenters, namespaces } = config;
  const reading = toReading(config, false);
  return orNone(datacenters).flatMap((datacenter, index) =>
    orNone(namespaces).map((namespace) => {
      const several = [datacenters.length > 1 && datacenter, namespaces.length > 1 && namespace];
      const taggedAddress = reading.taggedAddress || (index > 0 ? WAN : "");
      return {
        name: ["consul", ...several].filter((part) => typeof part === "string").join("/"),
        client: { address, tokenFile, tls, partition, datacenter, namespace },
        reading: {
          ...reading,
          taggedAddress,
          locality: datacenters.length > 1 ? (datacenter ?? "") : "",
        },
      };
    }),
  );
}

function orNone(names: readonly string[]): readonly (string | undefined)[] {
  return names.length === 0 ? [undefined] : [...new Set(names)];
}
