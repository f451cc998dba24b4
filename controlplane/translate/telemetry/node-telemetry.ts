import { SharedMap } from "../../../mesh/collections/shared-map.ts";
import type { TelemetryProvider } from "../../../mesh/model/telemetry.ts";
import type { WorkloadId } from "../../../mesh/model/workload.ts";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { serviceClient } from "../../policy/client.ts";
import { findService } from "../../policy/services.ts";
import { telemetryFor } from "../../policy/telemetry.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { clustersOf } from "../clusters/service-clusters.ts";
import { assignmentsOf } from "../endpoints/service-assignments.ts";
import type { Scope } from "../memo.ts";
import { type NodeParts, sameParts } from "../node-parts.ts";
import type { EgressClass } from "../outbound/egress-class.ts";
import { egressMap } from "../outbound/egress-resources.ts";
import { serviceHosts } from "../references.ts";
import { sameMap } from "../resource.ts";
import { workloadOf } from "../workload-of.ts";
import { accessLog } from "./access-logs.ts";
import {
  type ListenerTelemetry,
  type SideTelemetry,
  telemetryKey,
  tellsNothing,
  toldListeners,
} from "./told-listeners.ts";
import { tracedAs, tracing } from "./tracing.ts";

type Resources = SharedMap<EncodedResource>;

interface NodeTelemetry extends ListenerTelemetry {
  /** Where providers are called. */
  readonly clusters: readonly string[];
}

/** What a workload's proxy tells, and whom. */
function nodeTelemetry(scope: Scope, id: WorkloadId): NodeTelemetry {
  return scope.get(
    `telemetry/${id}`,
    (inner) => {
      const clusters = new Set<string>();
      const sides = {
        client: sideOf(inner, id, "CLIENT", clusters),
        server: sideOf(inner, id, "SERVER", clusters),
      };
      return { ...sides, key: telemetryKey(sides), clusters: [...clusters].sort() };
    },
    (a, b) => a.key === b.key,
  );
}

function sideOf(
  scope: Scope,
  id: WorkloadId,
  side: "CLIENT" | "SERVER",
  clusters: Set<string>,
): SideTelemetry {
  const { view } = scope;
  const workload = workloadOf(scope, id);
  const { logs, tracing: traced } = telemetryFor(view, workload, side, (telemetry, provider) =>
    scope.warn({
      subject: keyOf(telemetry),
      message: `MeshConfig has no extensionProvider ${provider} for telemetry: nothing is told there`,
    }),
  );
  const clusterOf = (provider: TelemetryProvider): string | undefined => {
    if (provider.kind === "file-log") return undefined;
    const client = serviceClient(view, workload);
    const { service, port } = provider;
    const found = findService(view, service.host, service.namespace || workload.namespace, client);
    if (!found?.ports.some(({ number }) => number === port)) {
      scope.warn({
        subject: `Workload/${id}`,
        message: `nothing is told to provider ${provider.name}: there is no service ${service.host} with port ${port}`,
      });
      return undefined;
    }
    const cluster = outboundClusterName(port, "", found.hostname);
    clusters.add(cluster);
    return cluster;
  };
  const tracer = traced && clusterOf(traced.provider);
  return {
    logs: logs.flatMap((log) => accessLog(log, clusterOf) ?? []),
    tracing:
      traced && tracer !== undefined
        ? tracing(traced, tracedAs(workload, view.settings.trustDomain), tracer)
        : undefined,
  };
}

/**
 * What a workload's proxy needs beside all else of its class to call its providers itself, whatever its application may
 * call; undefined: it calls none. One class makes it once.
 */
export function providerParts(scope: Scope, id: WorkloadId, of: EgressClass): NodeParts | undefined {
  const { clusters } = nodeTelemetry(scope, id);
  if (clusters.length === 0) return undefined;
  return scope.get(
    `providers/${of.key}/${clusters.join(" ")}`,
    (inner) => {
      const shared = egressMap(inner, of, TYPE_URL.cluster);
      const missing = clusters.filter((name) => !shared.has(name));
      const pick = (build: typeof clustersOf): readonly EncodedResource[] =>
        serviceHosts(missing).flatMap((host) =>
          build(inner, of.client, host).filter(({ name }) => missing.includes(name)),
        );
      return new Map([
        [TYPE_URL.cluster, pick(clustersOf)],
        [TYPE_URL.endpoints, pick(assignmentsOf)],
      ]);
    },
    sameParts,
  );
}

/** Where listeners come from: what a class shares, and what is one workload's own. */
interface Sources {
  /** Tells the class apart from others, with whatever else its listeners follow from. */
  readonly classKey: string;
  readonly shared: (scope: Scope) => Resources;
  readonly own: (scope: Scope) => Resources;
}

/** A workload's listeners with their telemetry. What its class shares is made once for all of one telemetry. */
export function nodeListeners(
  scope: Scope,
  id: WorkloadId,
  { classKey, shared, own }: Sources,
): Resources | undefined {
  const telemetry = nodeTelemetry(scope, id);
  if (tellsNothing(telemetry)) return undefined;
  const told = (key: string, sourceOf: (scope: Scope) => Resources): Resources =>
    scope.get<{ readonly source: Resources; readonly told: Resources }>(
      `told/${telemetry.key}/${key}`,
      (inner, before) => {
        const source = sourceOf(inner);
        const last = before ?? { source: SharedMap.empty(), told: SharedMap.empty() };
        return { source, told: toldListeners(source, telemetry, last) };
      },
      (a, b) => a.source === b.source && sameMap(a.told, b.told),
    ).told;
  return told(classKey, shared).edited(told(id, own));
}
