import type { JoinedService } from "./join-catalog.ts";
import { byText } from "./text-order.ts";

export function workloadSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/**
 * The names that a server of a service may present: those of its endpoints' service accounts, healthy or not (so
 * that a flapping instance does not change how the others are called), and what its ServiceEntry adds.
 */
export function identitiesOf(
  { service, endpoints }: Omit<JoinedService, "withheld">,
  trustDomain: string,
): readonly string[] {
  const accounts = endpoints.flatMap(({ namespace, serviceAccount }) =>
    serviceAccount !== undefined ? [workloadSpiffeId(trustDomain, namespace, serviceAccount)] : [],
  );
  return [...new Set([...accounts, ...service.subjectAltNames])].sort(byText);
}
