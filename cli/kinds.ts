import { MeshError } from "../mesh/errors.ts";
import type { Kind } from "../mesh/model/object.ts";
import { closest } from "../mesh/spelling/closest.ts";

/** What `lateen get` lists beside the kinds of the configuration. */
export type Listing = "services" | "workloads" | "registries";

const KIND_WORDS: Readonly<Record<Kind, readonly string[]>> = {
  VirtualService: ["virtualservice", "virtualservices", "vs"],
  DestinationRule: ["destinationrule", "destinationrules", "dr"],
  ServiceEntry: ["serviceentry", "serviceentries", "se"],
  WorkloadEntry: ["workloadentry", "workloadentries", "we"],
  WorkloadGroup: ["workloadgroup", "workloadgroups", "wg"],
  Gateway: ["gateway", "gateways", "gw"],
  Sidecar: ["sidecar", "sidecars"],
  ProxyConfig: ["proxyconfig", "proxyconfigs"],
  EnvoyFilter: ["envoyfilter", "envoyfilters", "ef"],
  MeshConfig: ["meshconfig", "meshconfigs"],
  Secret: ["secret", "secrets"],
  PeerAuthentication: ["peerauthentication", "peerauthentications", "pa"],
  RequestAuthentication: ["requestauthentication", "requestauthentications", "ra"],
  AuthorizationPolicy: ["authorizationpolicy", "authorizationpolicies", "ap"],
  Telemetry: ["telemetry", "telemetries"],
};

const LISTING_WORDS: Readonly<Record<Listing, readonly string[]>> = {
  services: ["services", "service", "svc"],
  workloads: ["workloads", "workload", "wl"],
  registries: ["registries", "registry"],
};

/** A kind as people write it: its name in any case, its plural, kubectl's short name. */
export function parseKind(text: string): Kind {
  const found = lookUp(text, KIND_WORDS);
  if (found !== undefined) return found;
  throw unknownKind(text, Object.values(KIND_WORDS).flat());
}

export function parseKindOrListing(text: string): Kind | Listing {
  const found = lookUp(text, KIND_WORDS) ?? lookUp(text, LISTING_WORDS);
  if (found !== undefined) return found;
  throw unknownKind(text, [...Object.values(KIND_WORDS), ...Object.values(LISTING_WORDS)].flat());
}

/** `virtualservice/reviews`, as kubectl names an object in one word. */
export function objectLabel(kind: Kind, name: string): string {
  return `${kind.toLowerCase()}/${name}`;
}

function lookUp<K extends string>(
  text: string,
  words: Readonly<Record<K, readonly string[]>>,
): K | undefined {
  // `virtualservices.networking.istio.io` is kubectl's full spelling.
  const word = text.toLowerCase().replace(/\.(networking|security|telemetry|mesh)\.istio\.io$/, "");
  return (Object.keys(words) as K[]).find((key) => words[key].includes(word));
}

function unknownKind(text: string, words: readonly string[]): MeshError {
  const near = closest(text, words);
  return new MeshError("cli.usage", `there is no kind ${JSON.stringify(text)}`, {
    ...(near === undefined ? {} : { cause: new Error(`did you mean ${near}?`) }),
    hint: "lateen get --help",
  });
}
