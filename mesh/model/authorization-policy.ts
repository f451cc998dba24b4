/** `security.istio.io` AuthorizationPolicy: who may call a workload, and how. */
export interface AuthorizationPolicySpec {
  /** Empty: all workloads of the namespace, or of the mesh in the root namespace. */
  readonly selector: Readonly<Record<string, string>>;
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  readonly provider: string;
  /** With ALLOW: none means that nothing is allowed. */
  readonly rules: readonly AuthorizationRule[];
}

/** All three parts must hold; an empty part always does. */
export interface AuthorizationRule {
  readonly from: readonly AuthorizationSource[];
  readonly to: readonly AuthorizationOperation[];
  readonly when: readonly AuthorizationCondition[];
}

/** All given fields must hold; within a field any value. Values may have `*` as prefix, as suffix, or alone. */
export interface AuthorizationSource {
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly requestPrincipals: readonly string[];
  readonly notRequestPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** `namespace/name`; a bare name is of the policy's own namespace. */
  readonly serviceAccounts: readonly string[];
  readonly notServiceAccounts: readonly string[];
  readonly ipBlocks: readonly string[];
  readonly notIpBlocks: readonly string[];
  readonly remoteIpBlocks: readonly string[];
  readonly notRemoteIpBlocks: readonly string[];
  readonly trustDomains: readonly string[];
  readonly notTrustDomains: readonly string[];
}

export interface AuthorizationOperation {
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  readonly ports: readonly string[];
  readonly notPorts: readonly string[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
}

export interface AuthorizationCondition {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}
