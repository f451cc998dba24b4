import type { Cluster, Endpoint, TransportMatch } from "../../model/cluster.ts";
import { EndpointTransport, type TlsDeps } from "./endpoint-transport.ts";

/** The transports of a cluster, of which each endpoint gets one. */
export class ClusterTransports {
  /** Some connections tell whom they are for. */
  readonly tellCaller: boolean;
  readonly #matches: readonly {
    readonly criteria: TransportMatch["criteria"];
    readonly transport: EndpointTransport;
  }[];
  readonly #otherwise: EndpointTransport;

  /** Throws when the files that its TLS names cannot be read. */
  constructor(model: Cluster, deps: TlsDeps) {
    this.#otherwise = new EndpointTransport(model.transport, model, deps);
    this.#matches = model.transportMatches.map(({ criteria, transport }) => ({
      criteria,
      transport: new EndpointTransport(transport, model, deps),
    }));
    this.tellCaller = [model.transport, ...model.transportMatches.map(({ transport }) => transport)].some(
      ({ proxyProtocol }) => proxyProtocol !== undefined,
    );
  }

  /** Asked when the endpoint comes or changes, not for a call. */
  of({ transportMatch }: Endpoint): EndpointTransport {
    const found = this.#matches.find(({ criteria }) =>
      [...criteria].every(([key, value]) => transportMatch.get(key) === value),
    );
    return found?.transport ?? this.#otherwise;
  }
}
