import { type DeltaRequest, DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import { type EncodedResource, type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { DeltaDiscoveryRequest } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../mesh/xds/names.ts";
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

/** A request for secrets, in what the agent answers and what the server does. */
export interface DividedRequest {
  readonly own: DeltaDiscoveryRequest | undefined;
  readonly others: DeltaDiscoveryRequest | undefined;
}

/**
 * A data plane asks for its identity and for credentials in one subscription. `isOwn` tells of an answer whether it is to
 * what this lane has sent.
 */
export function divideSecrets(
  request: DeltaDiscoveryRequest,
  isOwn: (nonce: string) => boolean,
): DividedRequest {
  const part = (own: boolean): DeltaDiscoveryRequest | undefined => {
    const mine = (name: string): boolean => IDENTITY.has(name) === own;
    const answers = request.responseNonce !== "" && isOwn(request.responseNonce) === own;
    const resourceNamesSubscribe = request.resourceNamesSubscribe.filter(mine);
    const resourceNamesUnsubscribe = request.resourceNamesUnsubscribe.filter(mine);
    if (!answers && resourceNamesSubscribe.length + resourceNamesUnsubscribe.length === 0) return undefined;
    return {
      ...request,
      resourceNamesSubscribe,
      resourceNamesUnsubscribe,
      initialResourceVersions: Object.fromEntries(
        Object.entries(request.initialResourceVersions).filter(([name]) => mine(name)),
      ),
      responseNonce: answers ? request.responseNonce : "",
      errorDetail: answers ? request.errorDetail : undefined,
    };
  };
  return { own: part(true), others: part(false) };
}

const IDENTITY: ReadonlySet<string> = new Set([SVID_SECRET, TRUST_BUNDLE_SECRET]);

/** One data plane's subscription to its identity: from memory to the socket, and stored nowhere here. */
export class SecretLane {
  readonly #subscription = new DeltaSubscription({ legacyWildcard: false, absence: "unknown" });
  readonly #workload: string;
  readonly #source: SecretSource;
  #refused = false;

  constructor(workload: string, source: SecretSource) {
    this.#workload = workload;
    this.#source = source;
  }

  request(request: DeltaRequest): Answer {
    const answer = this.#subscription.request(request);
    if (answer.kind === "ack") this.#refused = false;
    if (answer.kind === "nack") this.#refused = true;
    return answer;
  }

  /** Whether the data plane has acknowledged all of its secrets as they are now. */
  get settled(): boolean {
    if (!this.#subscription.covers(TRUST_BUNDLE_SECRET)) return false;
    return !this.#refused && this.#subscription.outstanding === undefined && this.next() === undefined;
  }

  /** Whether a nonce is that of what was sent last. */
  awaits(nonce: string): boolean {
    return this.#subscription.outstanding?.nonce === nonce;
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
    const secrets: EncodedResource[] = [];
    for (const name of this.#subscription.names) {
      const secret = this.#source.secret(this.#workload, name);
      if (secret !== undefined) secrets.push({ name, ...secret });
    }
    return resourceMap(secrets);
  }
}
