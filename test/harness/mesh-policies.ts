import { stringify } from "yaml";

type Fields = Readonly<Record<string, unknown>>;

/** Objects of tests in the form in which people write them; the namespace is `default` unless given. */
export function virtualService(host: string, spec: Fields): string {
  return document("networking.istio.io/v1", "VirtualService", host, { hosts: [host], ...spec });
}

export function destinationRule(host: string, spec: Fields): string {
  return document("networking.istio.io/v1", "DestinationRule", host, { host, ...spec });
}

/** Subsets `v1`, `v2`, … of a service, by the label `version`. */
export function versions(host: string, ...names: readonly string[]): string {
  return destinationRule(host, { subsets: names.map((version) => ({ name: version, labels: { version } })) });
}

export function peerAuthentication(mode: "STRICT" | "PERMISSIVE" | "DISABLE"): string {
  return document("security.istio.io/v1", "PeerAuthentication", "default", { mtls: { mode } });
}

export function authorizationPolicy(name: string, app: string, spec: Fields): string {
  return document("security.istio.io/v1", "AuthorizationPolicy", name, {
    selector: { matchLabels: { app } },
    ...spec,
  });
}

export function document(apiVersion: string, kind: string, name: string, spec: Fields): string {
  return `---\n${stringify({ apiVersion, kind, metadata: { name }, spec })}`;
}
