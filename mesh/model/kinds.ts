import type { z } from "zod";
import { authorizationPolicySpec } from "./authorization-policy.schema.ts";
import { destinationRuleSpec } from "./destination-rule.schema.ts";
import type { Kind, SpecOfKind } from "./object.ts";
import { peerAuthenticationSpec } from "./peer-authentication.schema.ts";
import { serviceEntrySpec } from "./service-entry.schema.ts";
import { virtualServiceSpec } from "./virtual-service.schema.ts";
import { workloadEntrySpec } from "./workload-entry.schema.ts";

export interface KindDefinition<K extends Kind = Kind> {
  readonly kind: K;
  /** Newest first: the first is what we suggest. */
  readonly apiVersions: readonly string[];
  readonly spec: z.ZodType<SpecOfKind[K]>;
}

const NETWORKING = ["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"];
const SECURITY = ["security.istio.io/v1", "security.istio.io/v1beta1"];

/** The kinds that Lateen takes. */
export const KINDS: { readonly [K in Kind]: KindDefinition<K> } = {
  VirtualService: { kind: "VirtualService", apiVersions: NETWORKING, spec: virtualServiceSpec },
  DestinationRule: { kind: "DestinationRule", apiVersions: NETWORKING, spec: destinationRuleSpec },
  ServiceEntry: { kind: "ServiceEntry", apiVersions: NETWORKING, spec: serviceEntrySpec },
  WorkloadEntry: { kind: "WorkloadEntry", apiVersions: NETWORKING, spec: workloadEntrySpec },
  PeerAuthentication: { kind: "PeerAuthentication", apiVersions: SECURITY, spec: peerAuthenticationSpec },
  AuthorizationPolicy: { kind: "AuthorizationPolicy", apiVersions: SECURITY, spec: authorizationPolicySpec },
};

/** Kinds of Istio and of the Gateway API that people will try, for a message that says so. */
export const KINDS_NOT_YET: readonly string[] = [
  "EnvoyFilter",
  "GRPCRoute",
  "Gateway",
  "HTTPRoute",
  "ProxyConfig",
  "RequestAuthentication",
  "Sidecar",
  "TCPRoute",
  "TLSRoute",
  "Telemetry",
  "WasmPlugin",
  "WorkloadGroup",
];

export function isKind(name: string): name is Kind {
  return Object.hasOwn(KINDS, name);
}
