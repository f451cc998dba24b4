import type { LocalService } from "./discovery.ts";

/** The services that are believed to be here. */
export interface SettledServices {
  readonly services: readonly LocalService[];
  /** Those of them that the source no longer has, and that stay until it has them again. */
  readonly held: readonly LocalService[];
}

/** What a source says; and which of its instances it has but cannot be used as they are, and whether these are healthy. */
export interface SourceAnswer {
  readonly services: readonly LocalService[];
  readonly refused: ReadonlyMap<string, boolean>;
}

export const NOTHING_SETTLED: SettledServices = { services: [], held: [] };

/**
 * Joins what a source on this host says with what was believed. What it refuses stays as it was, but for its health. When
 * more than half of the services are gone in its first answer after an outage, it has lost its data: they stay.
 * `recovered` is true for such an answer.
 */
export function settle(before: SettledServices, answer: SourceAnswer, recovered: boolean): SettledServices {
  const present = new Set(answer.services.map(instanceId));
  const gone = before.services.filter((service) => !present.has(instanceId(service)));
  const refused = gone.flatMap((service) => {
    const healthy = answer.refused.get(instanceId(service));
    return healthy === undefined ? [] : [{ ...service, healthy }];
  });
  const missing = gone.filter((service) => !answer.refused.has(instanceId(service)));
  const lost = recovered && missing.length * 2 > before.services.length;
  const held = lost ? missing : missing.filter((service) => before.held.includes(service));
  const services = [...answer.services, ...refused, ...held].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { services, held };
}

function instanceId({ id, catalog }: LocalService): string {
  return catalog?.instanceId ?? id;
}
