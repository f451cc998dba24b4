import {
  type Action,
  isEverything,
  type Ruling,
  type Term,
  termsOf,
  withoutRepeats,
} from "./access-terms.ts";
import type { Intentions, JwtProvider } from "./entry-schemas.ts";
import { rulingsOf } from "./intention-rulings.ts";
import { type Loss, type Manifest, manifest, type Translation } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";
import { policyRules } from "./policy-rules.ts";

export interface IntentionOptions {
  readonly namespace: string;
  /** What Consul does with a call that no intention is about. */
  readonly defaultPolicy: Action;
}

interface Destination {
  readonly namespace: string;
  /** Undefined: every service of the namespace. */
  readonly service: string | undefined;
  readonly rulings: readonly Ruling[];
}

/**
 * `service-intentions` as AuthorizationPolicies. In Consul the intentions of a destination come before those of `*`, and
 * the first that fits decides. Ours have no order: a call is let in that any ALLOW matches and no DENY. So what is said of
 * `*`, and the default, become one ALLOW of the namespace, and what is said of a service one ALLOW, which adds to it,
 * and one DENY, which takes from it.
 */
export function translateIntentions(
  entries: readonly Intentions[],
  jwtProviders: readonly JwtProvider[],
  { namespace: home, defaultPolicy }: IntentionOptions,
): Translation {
  const providers = new Map(jwtProviders.map((provider) => [provider.Name, provider]));
  const losses: Loss[] = [];
  const context = { otherwise: defaultPolicy, namespace: home, providers };
  const read = entries.map((entry) => {
    const found = rulingsOf(entry, context);
    losses.push(...found.losses);
    return { entry, rulings: withoutRepeats(found.rulings) };
  });
  const everywhere = read.filter(({ entry }) => entry.Name === "*" && entry.Namespace === "*");
  const destinations = read
    .filter(({ entry }) => !(entry.Name === "*" && entry.Namespace === "*"))
    .map(({ entry, rulings }): Destination => {
      const namespace = namespaceOf(entry.Namespace, home);
      return { namespace, service: entry.Name === "*" ? undefined : entry.Name, rulings };
    });
  const otherwise: Ruling = {
    source: { kind: "any" },
    statements: [{ action: defaultPolicy, parts: [] }],
  };
  const namespaces = new Set([home, ...destinations.map(({ namespace }) => namespace)]);
  const manifests = [...namespaces].sort().flatMap((namespace): readonly Manifest[] => {
    const here = destinations.filter((each) => each.namespace === namespace);
    const wide = here.filter(({ service }) => service === undefined).flatMap(({ rulings }) => rulings);
    const general = [...wide, ...everywhere.flatMap(({ rulings }) => rulings), otherwise];
    const allowed = termsOf(general, "allow");
    const own = here.flatMap((each) =>
      each.service === undefined ? [] : policiesOf(each, each.service, allowed),
    );
    return [...policyForAll(namespace, allowed), ...own];
  });
  return { manifests, losses };
}

/** No policy at all lets everything in; one without rules lets nothing in. */
function policyForAll(namespace: string, allowed: readonly Term[]): readonly Manifest[] {
  if (isEverything(allowed)) return [];
  const rules = policyRules(allowed, "allow");
  const spec = rules.length === 0 ? { action: "ALLOW" } : { action: "ALLOW", rules };
  return [manifest("security", "AuthorizationPolicy", { name: "consul-any-destination", namespace }, spec)];
}

function policiesOf(
  { namespace, rulings }: Destination,
  service: string,
  allowedAnyway: readonly Term[],
): readonly Manifest[] {
  const policy = (action: Action): readonly Manifest[] => {
    const rules = policyRules(termsOf(rulings, action), action);
    if (rules.length === 0) return [];
    const name = `${objectName(service)}-${action}`;
    const selector = { matchLabels: { app: service } };
    const spec = { selector, action: action.toUpperCase(), rules };
    return [manifest("security", "AuthorizationPolicy", { name, namespace }, spec)];
  };
  return [
    ...(isEverything(allowedAnyway) ? [] : policy("allow")),
    ...(allowedAnyway.length === 0 ? [] : policy("deny")),
  ];
}
