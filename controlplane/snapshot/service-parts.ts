import { isDeepStrictEqual } from "node:util";
import type { SharedMap } from "../../mesh/collections/shared-map.ts";
import type { Service } from "../../mesh/model/service.ts";
import { identitiesOf } from "./identities.ts";
import type { JoinedService } from "./join-catalog.ts";
import {
  HOSTS_KEY,
  type HostOfService,
  type MeshSettings,
  type MeshSnapshot,
  type SnapshotKey,
} from "./mesh-snapshot.ts";
import { byText } from "./text-order.ts";

/** What a snapshot has of services. */
export type ServiceParts = Pick<MeshSnapshot, "services" | "endpoints" | "identities" | "hosts">;

/** The parts with what hosts have been joined to, and in `changed` the keys of what is not as it was. */
export function withServices(
  before: ServiceParts & { readonly settings: Pick<MeshSettings, "trustDomain"> },
  joined: readonly (readonly [hostname: string, services: readonly JoinedService[]])[],
  changed: Set<SnapshotKey>,
): ServiceParts {
  const services = new Edits(before.services, "service", changed);
  const endpoints = new Edits(before.endpoints, "endpoints", changed);
  const identities = new Edits(before.identities, "identities", changed);
  let reordered = false;
  for (const [hostname, list] of joined) {
    const known = before.services.get(hostname) ?? [];
    const now = list.map(({ service }) => service);
    const isNew = services.set(hostname, now.length === 0 ? undefined : now);
    reordered ||= isNew && orderOf(known) !== orderOf(now);
    const byKey = new Map(list.map((one) => [one.service.key, one]));
    for (const key of new Set([...known.map((one) => one.key), ...byKey.keys()])) {
      const one = byKey.get(key);
      endpoints.set(key, one?.endpoints);
      identities.set(key, one && identitiesOf(one, before.settings.trustDomain));
    }
  }
  if (reordered) changed.add(HOSTS_KEY);
  const next = services.apply();
  return {
    services: next,
    endpoints: endpoints.apply(),
    identities: identities.apply(),
    hosts: reordered ? oldestFirst(next) : before.hosts,
  };
}

/** Edits of one part: a value that is equal to the one before leaves that in its place. */
class Edits<V> {
  readonly #part: SharedMap<V>;
  readonly #name: "service" | "endpoints" | "identities";
  readonly #changed: Set<SnapshotKey>;
  readonly #edits: [string, V | undefined][] = [];

  constructor(part: SharedMap<V>, name: "service" | "endpoints" | "identities", changed: Set<SnapshotKey>) {
    this.#part = part;
    this.#name = name;
    this.#changed = changed;
  }

  /** Whether it is another value than before. */
  set(key: string, value: V | undefined): boolean {
    if (isDeepStrictEqual(this.#part.get(key), value)) return false;
    this.#edits.push([key, value]);
    this.#changed.add(`${this.#name}/${key}`);
    return true;
  }

  apply(): SharedMap<V> {
    return this.#part.edited(this.#edits);
  }
}

/** Equal where nothing moves in the order of all services. */
function orderOf(services: readonly Service[]): string {
  return services.map(({ key, createdAt }) => `${key} ${createdAt}`).join();
}

function oldestFirst(services: MeshSnapshot["services"]): readonly HostOfService[] {
  return [...services.values()]
    .flat()
    .sort((a, b) => a.createdAt - b.createdAt || byText(a.hostname, b.hostname))
    .map(({ hostname, key }) => ({ hostname, key }));
}
