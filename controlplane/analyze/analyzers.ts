import { annotations } from "./annotations.ts";
import { authorizationPolicyNamespaces } from "./authorization-policies.ts";
import { deprecations } from "./deprecations.ts";
import {
  destinationRuleFailover,
  destinationRuleHosts,
  destinationRuleVerification,
} from "./destination-rules.ts";
import { envoyFilters } from "./envoy-filters.ts";
import type { Analyzer } from "./finding.ts";
import { gatewayCertificates, gatewayConflicts } from "./gateway/conflicts.ts";
import { gatewayCredentials } from "./gateway/credentials.ts";
import { gatewayWorkloads } from "./gateway/workloads.ts";
import { endpointIdentities } from "./hosts/identities.ts";
import { endpointAddresses, endpointNetworks, serviceAddresses } from "./hosts/networks.ts";
import { missingGroups, probePorts } from "./hosts/workload-groups.ts";
import { conflictingTargets, dnsAddresses, emptyServices, entryPorts } from "./hosts/workload-ports.ts";
import { meshConfigs, meshNetworkRegistries } from "./mesh-config.ts";
import { selectors } from "./selectors.ts";
import {
  serviceEntryAddresses,
  serviceEntryHosts,
  serviceEntryPortNames,
  serviceEntryProtocols,
} from "./service-entries.ts";
import { sidecarEgressProxies, sidecarImports, sidecars } from "./sidecars.ts";
import { telemetries, telemetryProviders } from "./telemetries.ts";
import { virtualServiceClaims } from "./virtual-service/claims.ts";
import { virtualServiceDelegates } from "./virtual-service/delegates.ts";
import { virtualServiceDestinations } from "./virtual-service/destinations.ts";
import { virtualServiceGateways } from "./virtual-service/gateways.ts";
import { virtualServiceMeshHosts } from "./virtual-service/mesh-hosts.ts";
import { virtualServiceRules } from "./virtual-service/rules.ts";

/** All there are. Their order does not matter: messages are sorted. */
export const ANALYZERS: readonly Analyzer[] = [
  annotations,
  authorizationPolicyNamespaces,
  conflictingTargets,
  deprecations,
  destinationRuleFailover,
  destinationRuleHosts,
  destinationRuleVerification,
  dnsAddresses,
  emptyServices,
  endpointAddresses,
  endpointIdentities,
  endpointNetworks,
  entryPorts,
  envoyFilters,
  gatewayCertificates,
  gatewayConflicts,
  gatewayCredentials,
  gatewayWorkloads,
  meshConfigs,
  meshNetworkRegistries,
  missingGroups,
  probePorts,
  selectors,
  serviceAddresses,
  serviceEntryAddresses,
  serviceEntryHosts,
  serviceEntryPortNames,
  serviceEntryProtocols,
  sidecarEgressProxies,
  sidecarImports,
  sidecars,
  telemetries,
  telemetryProviders,
  virtualServiceClaims,
  virtualServiceDelegates,
  virtualServiceDestinations,
  virtualServiceGateways,
  virtualServiceMeshHosts,
  virtualServiceRules,
];
