import type { StoredObject } from "../../../mesh/model/object.ts";
import type { Destination } from "../../../mesh/model/virtual-service.ts";
import type { Client } from "../../policy/client.ts";
import {
  clusterOf,
  type ResolvedDestination,
  resolveDestination,
  type ServiceDestination,
} from "../destinations.ts";
import type { Scope } from "../memo.ts";

/** A destination, or a delegate, that does not exist. */
export interface MissingDestination {
  /** The object that names it. */
  readonly owner: StoredObject;
  /** Where it does, and what is not there. */
  readonly message: string;
  /** What becomes of its calls. */
  readonly consequence: string;
}

/** Looks destinations up for one client and keeps account of what it was asked for. */
export class DestinationResolver {
  readonly #scope: Scope;
  readonly #client: Client;
  readonly #port: number;
  readonly #found = new Map<string, ServiceDestination>();
  readonly #missing: MissingDestination[] = [];

  /** `port` is the one that was called. */
  constructor(scope: Scope, client: Client, port: number) {
    this.#scope = scope;
    this.#client = client;
    this.#port = port;
  }

  /** `path` is the destination's field in its owner, `consequence` what becomes of its calls when it is missing. */
  resolve(
    destination: Destination,
    owner: StoredObject,
    path: string,
    consequence: string,
  ): ResolvedDestination {
    const { namespace } = owner.metadata;
    const resolved = resolveDestination(this.#scope.view, this.#client, destination, namespace, this.#port);
    if (resolved.kind === "missing") {
      this.#missing.push({ owner, message: `${path}: ${resolved.reason}`, consequence });
    } else {
      const { hostname, port, subset } = resolved;
      this.#found.set(clusterOf(resolved), { hostname, port, subset });
    }
    return resolved;
  }

  /** Where all of it leads, each once. */
  get found(): readonly ServiceDestination[] {
    return [...this.#found.values()];
  }

  get missing(): readonly MissingDestination[] {
    return this.#missing;
  }
}
