import { VOCABULARY, type Vocabulary } from "../model/vocabulary.ts";

/** How a mesh reads what Consul lists. */
export interface CatalogReading {
  readonly vocabulary: Vocabulary;
  /** Name of the tagged address that counts, where an instance or its node has one; empty: the plain address. */
  readonly taggedAddress: string;
  /** Whether an instance with a check in state `warning` takes calls, as it does in Consul's DNS. */
  readonly warnings: "healthy" | "unhealthy";
}

export const CATALOG_READING: CatalogReading = {
  vocabulary: VOCABULARY,
  taggedAddress: "",
  warnings: "healthy",
};

/** Maintenance of a node or a service is a critical check of Consul's. */
export function isHealthy(statuses: readonly string[], { warnings }: CatalogReading): boolean {
  return statuses.every((status) => status === "passing" || (status === "warning" && warnings === "healthy"));
}

export interface Addressed {
  readonly address: string;
  readonly port: number;
}

/** The parts of Consul's answers that say where an instance is. */
export interface ConsulPlace {
  readonly Node: {
    readonly Address: string;
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null | undefined;
  };
  readonly Service: {
    readonly Address?: string | null | undefined;
    readonly Port: number;
    readonly TaggedAddresses?:
      | Readonly<Record<string, { readonly Address: string; readonly Port: number }>>
      | null
      | undefined;
  };
}

/** Consul's own order: the service's tagged address, its address, the node's tagged address, the node's address. */
export function placeOf({ Node, Service }: ConsulPlace, taggedAddress: string): Addressed {
  const tagged = own(Service.TaggedAddresses, taggedAddress);
  if (tagged !== undefined && tagged.Address !== "")
    return { address: tagged.Address, port: tagged.Port || Service.Port };
  const node = own(Node.TaggedAddresses, taggedAddress) || Node.Address;
  return { address: Service.Address || node, port: Service.Port };
}

function own<T>(of: Readonly<Record<string, T>> | null | undefined, name: string): T | undefined {
  return of !== null && of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined;
}
