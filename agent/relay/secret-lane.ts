import { type DeltaRequest, DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import type { EncodedResource, ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { Answer, Change } from "../../mesh/xds/subscription.ts";

/** Where the secrets of this host's workloads are: the agent's identity store. */
export interface SecretSource {
  /**
   * The encoded `Secret` message of that name for a workload (`namespace/name`), `default` or `ROOTCA`; undefined while
   * there is none. `version` changes with the content and tells nothing about it.
   */
  secret(
    workload: string,
    name: string,
  ): { readonly version: string; readonly bytes: Uint8Array } | undefined;
  /** Calls back with the workload whose secrets have changed, until the signal is aborted. */
  onChange(listener: (workload: string) => void, signal: AbortSignal): void;
}

/** One data plane's subscription to its secrets. They come from memory, go to the socket, and are stored nowhere here. */
export class SecretLane {
  readonly #subscription = new DeltaSubscription({ legacyWildcard: false, absence: "unknown" });
  readonly #workload: string;
  readonly #source: SecretSource;

  constructor(workload: string, source: SecretSource) {
    this.#workload = workload;
    this.#source = source;
  }

  request(request: DeltaRequest): Answer {
    return this.#subscription.request(request);
  }

  /** What may go out now. A secret that does not exist yet is waited for: the data plane is told nothing. */
  next(): Change | undefined {
    if (this.#subscription.outstanding !== undefined) return undefined;
    return this.#subscription.change(this.#current(), "now");
  }

  sent(nonce: string, change: Change): void {
    this.#subscription.sent(nonce, change);
  }

  #current(): ResourceMap {
    const secrets = new Map<string, EncodedResource>();
    for (const name of this.#subscription.names) {
      const secret = this.#source.secret(this.#workload, name);
      if (secret !== undefined) secrets.set(name, { name, ...secret });
    }
    return secrets;
  }
}
