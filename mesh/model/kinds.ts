import type * as z from "zod";
import { authorizationPolicySpec } from "./authorization-policy.schema.ts";
import { destinationRuleSpec } from "./destination-rule.schema.ts";
import { envoyFilterSpec } from "./envoy-filter.schema.ts";
import { gatewaySpec } from "./gateway.schema.ts";
import { meshConfigSpec } from "./mesh-config.schema.ts";
import type { Kind, SpecOfKind } from "./object.ts";
import { peerAuthenticationSpec } from "./peer-authentication.schema.ts";
import type { Fields } from "./plain-data.ts";
import { proxyConfigSpec } from "./proxy-config.schema.ts";
import { requestAuthenticationSpec } from "./request-authentication.schema.ts";
import { notOurSecret, secretSpec } from "./secret.schema.ts";
import { serviceEntrySpec } from "./service-entry.schema.ts";
import { sidecarSpec } from "./sidecar.schema.ts";
import { telemetrySpec } from "./telemetry.schema.ts";
import { virtualServiceSpec } from "./virtual-service.schema.ts";
import { workloadEntrySpec } from "./workload-entry.schema.ts";
import { workloadGroupSpec } from "./workload-group.schema.ts";

export interface KindDefinition<K extends Kind = Kind> {
  readonly kind: K;
  /** Newest first: the first is what we suggest. */
  readonly apiVersions: readonly string[];
  readonly spec: z.ZodType<SpecOfKind[K]>;
  /** True where the fields stand beside `metadata` and not under `spec`. */
  readonly bare?: true;
  /** True for settings of the whole mesh, which belong into its root namespace. */
  readonly meshWide?: true;
  /** True where Istio takes no dot in the name. */
  readonly nameIsLabel?: true;
  /** For a kind that others use too: why a document is not meant for the mesh, or undefined. */
  readonly notOurs?: (document: Fields) => string | undefined;
}

const NETWORKING = ["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"];
/** The only one that Istio serves. */
const ENVOY_FILTER = ["networking.istio.io/v1alpha3"];
/** Istio serves the first; the second is what people write who know the others. */
const PROXY_CONFIG = ["networking.istio.io/v1beta1", "networking.istio.io/v1"];
const SECURITY = ["security.istio.io/v1", "security.istio.io/v1beta1"];

const TELEMETRY = ["telemetry.istio.io/v1", "telemetry.istio.io/v1alpha1"];

/** The kinds that Lateen takes. */
export const KINDS: { readonly [K in Kind]: KindDefinition<K> } = {
  VirtualService: { kind: "VirtualService", apiVersions: NETWORKING, spec: virtualServiceSpec },
  DestinationRule: { kind: "DestinationRule", apiVersions: NETWORKING, spec: destinationRuleSpec },
  ServiceEntry: { kind: "ServiceEntry", apiVersions: NETWORKING, spec: serviceEntrySpec },
  WorkloadEntry: { kind: "WorkloadEntry", apiVersions: NETWORKING, spec: workloadEntrySpec },
  WorkloadGroup: { kind: "WorkloadGroup", apiVersions: NETWORKING, spec: workloadGroupSpec },
  Gateway: { kind: "Gateway", apiVersions: NETWORKING, spec: gatewaySpec, nameIsLabel: true },
  Sidecar: { kind: "Sidecar", apiVersions: NETWORKING, spec: sidecarSpec },
  ProxyConfig: { kind: "ProxyConfig", apiVersions: PROXY_CONFIG, spec: proxyConfigSpec },
  EnvoyFilter: { kind: "EnvoyFilter", apiVersions: ENVOY_FILTER, spec: envoyFilterSpec },
  MeshConfig: {
    kind: "MeshConfig",
    apiVersions: ["mesh.istio.io/v1alpha1"],
    spec: meshConfigSpec,
    meshWide: true,
  },
  Secret: { kind: "Secret", apiVersions: ["v1"], spec: secretSpec, bare: true, notOurs: notOurSecret },
  PeerAuthentication: { kind: "PeerAuthentication", apiVersions: SECURITY, spec: peerAuthenticationSpec },
  RequestAuthentication: {
    kind: "RequestAuthentication",
    apiVersions: SECURITY,
    spec: requestAuthenticationSpec,
  },
  AuthorizationPolicy: { kind: "AuthorizationPolicy", apiVersions: SECURITY, spec: authorizationPolicySpec },
  Telemetry: { kind: "Telemetry", apiVersions: TELEMETRY, spec: telemetrySpec },
};

/** Kinds of Istio and of the Gateway API that people will try, for a message that says so. */
export const KINDS_NOT_YET: readonly string[] = [
  "GRPCRoute",
  "HTTPRoute",
  "TCPRoute",
  "TLSRoute",
  "TrafficExtension",
  "WasmPlugin",
];

export function isKind(name: string): name is Kind {
  return Object.hasOwn(KINDS, name);
}
