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

/** Of namespace `default`, unless it is for the whole mesh. */
export function sidecar(name: string, spec: Fields, namespace = "default"): string {
  return `---\n${stringify({ apiVersion: "networking.istio.io/v1", kind: "Sidecar", metadata: { name, namespace }, spec })}`;
}

export function serviceEntry(name: string, spec: Fields, namespace = "default"): string {
  return `---\n${stringify({ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name, namespace }, spec })}`;
}

/** The one of the mesh. */
export function meshConfig(spec: Fields): string {
  return `---\n${stringify({ apiVersion: "mesh.istio.io/v1alpha1", kind: "MeshConfig", metadata: { name: "mesh", namespace: "istio-system" }, spec })}`;
}

export function document(apiVersion: string, kind: string, name: string, spec: Fields): string {
  return `---\n${stringify({ apiVersion, kind, metadata: { name }, spec })}`;
}
