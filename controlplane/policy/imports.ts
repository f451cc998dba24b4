import { hostMatches, type KnowsHost, resolveHost } from "../../mesh/model/hosts.ts";
import type { Service } from "../../mesh/model/service.ts";
import type { EgressHost, SidecarSpec } from "../../mesh/model/sidecar.ts";
import { hostPatterns } from "../snapshot/host-names.ts";
import type { MeshSettings } from "../snapshot/mesh-snapshot.ts";
import type { HostClaim } from "./export-to.ts";

/** What one host of a Sidecar's egress brings in, or takes out again. */
export interface Import {
  /** `*`: every namespace. */
  readonly namespace: string;
  /** All that the written host can mean; may have wildcards. */
  readonly hosts: readonly string[];
  readonly excluded: boolean;
}

/**
 * What an egress listener of a Sidecar brings in for the workloads of a namespace: services, and independently of them
 * VirtualServices (Istio: DestinationRules follow the services). Undefined: all that is visible.
 */
export function importsOf(
  settings: MeshSettings,
  hosts: readonly EgressHost[],
  own: string,
): readonly Import[] | undefined {
  const imports = hosts
    .filter(({ namespace }) => namespace !== "~")
    .map(({ namespace: written, host, excluded }): Import => {
      const namespace = written === "." ? own : written;
      return {
        namespace,
        hosts: hostPatterns(host, namespace === "*" ? own : namespace, settings),
        excluded,
      };
    });
  const isAll = imports.some(({ namespace, hosts: patterns }) => namespace === "*" && patterns.includes("*"));
  return isAll && imports.every(({ excluded }) => !excluded) ? undefined : imports;
}

/** The same of each listener of a Sidecar; nothing where one of them brings in all that is visible. */
export function importsOfSidecar(
  settings: MeshSettings,
  { egress }: Pick<SidecarSpec, "egress">,
  own: string,
): readonly (readonly Import[])[] {
  const imports = egress.map(({ hosts }) => importsOf(settings, hosts, own));
  return imports.includes(undefined) ? [] : imports.filter((one) => one !== undefined);
}

/** Whether a service is brought in: by its namespace, and a host that covers its name. */
export function importsService(
  imports: readonly Import[] | undefined,
  { namespace, hostname }: Pick<Service, "namespace" | "hostname">,
): boolean {
  return imports === undefined || bringsIn(imports, namespace, hostname, hostMatches);
}

/** Whether a VirtualService is brought in: by its namespace, and a host that has something in common with one of its own. */
export function importsVirtualService(
  { domainSuffix }: Pick<MeshSettings, "domainSuffix">,
  imports: readonly Import[] | undefined,
  { spec, metadata: { namespace } }: HostClaim,
  knows: KnowsHost,
): boolean {
  if (imports === undefined) return true;
  return spec.hosts.some((host) => {
    const meant = resolveHost(host, namespace, domainSuffix, knows);
    return bringsIn(imports, namespace, meant, overlap);
  });
}

function bringsIn(
  imports: readonly Import[],
  namespace: string,
  host: string,
  meets: (pattern: string, host: string) => boolean,
): boolean {
  const ofNamespace = imports.filter((one) => one.namespace === "*" || one.namespace === namespace);
  return (
    ofNamespace.some(({ excluded, hosts }) => !excluded && hosts.some((one) => meets(one, host))) &&
    !ofNamespace.some(({ excluded, hosts }) => excluded && hosts.some((one) => hostMatches(one, host)))
  );
}

function overlap(one: string, other: string): boolean {
  return hostMatches(one, other) || hostMatches(other, one);
}
