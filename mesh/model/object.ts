import type { AuthorizationPolicySpec } from "./authorization-policy.ts";
import type { DestinationRuleSpec } from "./destination-rule.ts";
import type { EnvoyFilterSpec } from "./envoy-filter.ts";
import type { GatewaySpec } from "./gateway.ts";
import type { MeshConfigSpec } from "./mesh-config.ts";
import type { PeerAuthenticationSpec } from "./peer-authentication.ts";
import type { ProxyConfigSpec } from "./proxy-config.ts";
import type { RequestAuthenticationSpec } from "./request-authentication.ts";
import type { SecretSpec } from "./secret.ts";
import type { ServiceEntrySpec } from "./service-entry.ts";
import type { SidecarSpec } from "./sidecar.ts";
import type { TelemetrySpec } from "./telemetry.ts";
import type { VirtualServiceSpec } from "./virtual-service.ts";
import type { WorkloadEntrySpec } from "./workload-entry.ts";
import type { WorkloadGroupSpec } from "./workload-group.ts";

/** The spec that belongs to each kind. */
export interface SpecOfKind {
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly ServiceEntry: ServiceEntrySpec;
  readonly WorkloadEntry: WorkloadEntrySpec;
  readonly WorkloadGroup: WorkloadGroupSpec;
  readonly Gateway: GatewaySpec;
  readonly Sidecar: SidecarSpec;
  readonly ProxyConfig: ProxyConfigSpec;
  readonly EnvoyFilter: EnvoyFilterSpec;
  readonly MeshConfig: MeshConfigSpec;
  readonly Secret: SecretSpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
  readonly RequestAuthentication: RequestAuthenticationSpec;
  readonly AuthorizationPolicy: AuthorizationPolicySpec;
  readonly Telemetry: TelemetrySpec;
}

export type Kind = keyof SpecOfKind;

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An object as its author wrote it, checked: what the store keeps and what `lateen get` prints. */
export interface ParsedObject<K extends Kind = Kind> {
  /** As written: `networking.istio.io/v1`, `v1beta1`, `v1alpha3`, … */
  readonly apiVersion: string;
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: SpecOfKind[K];
  /** The document as its author wrote it, without server-set fields: what `lateen get -o yaml` prints. */
  readonly written: Readonly<Record<string, unknown>>;
}

/** A stored object. Creation time decides precedence (Istio sorts all configuration by it) and never changes. */
export interface StoredObject<K extends Kind = Kind> extends ParsedObject<K> {
  /** Milliseconds since the epoch of the first apply. */
  readonly createdAt: number;
  /** Store revision of the last change of this object. */
  readonly revision: number;
  /** Where it came from: `api`, or the file's path for the watched directory. */
  readonly origin: string;
}

export type ObjectKey = `${Kind}/${string}/${string}`;

export function objectKey(kind: Kind, namespace: string, name: string): ObjectKey {
  return `${kind}/${namespace}/${name}`;
}

/** Istio's order of precedence: creation time, then name, then namespace. */
export function byPrecedence(a: StoredObject, b: StoredObject): number {
  return (
    a.createdAt - b.createdAt ||
    compare(a.metadata.name, b.metadata.name) ||
    compare(a.metadata.namespace, b.metadata.namespace)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
