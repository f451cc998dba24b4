import { encodeSotwResponse } from "../../mesh/xds/encode-response.ts";
import type { EncodedResource } from "../../mesh/xds/encoded-resource.ts";
import type { DiscoveryRequest } from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";

/** The secret of a name, or undefined while there is none. */
export type FindSecret = (name: string) => Omit<EncodedResource, "name"> | undefined;

const MOST_NAMES = 64;

/**
 * One state-of-the-world subscription to secrets: all that is named and is there goes out again whenever any of it has
 * changed. What was refused is not sent again until it has changed.
 */
export class SotwSecrets {
  readonly #find: FindSecret;
  #names: readonly string[] = [];
  #sent: string | undefined;
  #responses = 0;

  constructor(find: FindSecret) {
    this.#find = find;
  }

  /** Takes a request in; false when it asks for too much. A request that only answers changes nothing. */
  request({ resourceNames }: Pick<DiscoveryRequest, "resourceNames">): boolean {
    if (resourceNames.length > MOST_NAMES) return false;
    this.#names = [...new Set(resourceNames)].sort();
    return true;
  }

  /** What may go out now; undefined when nothing is new. */
  next(): Uint8Array | undefined {
    const secrets: EncodedResource[] = [];
    for (const name of this.#names) {
      const secret = this.#find(name);
      if (secret !== undefined) secrets.push({ name, ...secret });
    }
    const state = secrets.map(({ name, version }) => `${name}=${version}`).join();
    if (secrets.length === 0 || state === this.#sent) return undefined;
    this.#sent = state;
    this.#responses += 1;
    const count = String(this.#responses);
    return encodeSotwResponse({ typeUrl: TYPE_URL.secret, nonce: count, version: count }, secrets);
  }
}
