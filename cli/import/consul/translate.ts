import type { Action } from "./access-terms.ts";
import type { ConfigEntries } from "./config-entries.ts";
import { translateDestinations } from "./destination-rules.ts";
import { translateIngress } from "./ingress-gateways.ts";
import { translateIntentions } from "./intentions.ts";
import { translateJwtProviders } from "./jwt-providers.ts";
import type { Translation } from "./manifest.ts";
import { translateSettings } from "./service-settings.ts";
import { unreadFields } from "./unread-fields.ts";
import { translateRoutes } from "./virtual-services.ts";

export interface TranslateOptions {
  /** Of entries without one, which are all of Consul's community edition. */
  readonly namespace: string;
  /** What Consul does with a call that no intention is about; undefined where nobody knows and nothing asks. */
  readonly defaultPolicy: Action | undefined;
}

/** The objects that say what Consul's entries say, and what of them no object says. */
export function translate(
  entries: ConfigEntries,
  { namespace, defaultPolicy }: TranslateOptions,
): Translation {
  const { intentions, jwtProviders } = entries;
  const parts = [
    translateRoutes(entries, namespace),
    translateDestinations(entries, namespace),
    translateIngress(entries, namespace),
    translateSettings(entries, namespace),
    translateJwtProviders(jwtProviders, intentions, namespace),
    ...(defaultPolicy === undefined
      ? []
      : [translateIntentions(intentions, jwtProviders, { namespace, defaultPolicy })]),
  ];
  return {
    manifests: parts.flatMap(({ manifests }) => manifests),
    losses: [...parts.flatMap(({ losses }) => losses), ...entries.all.flatMap(unreadFields)],
  };
}
