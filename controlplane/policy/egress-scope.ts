import type { StoredObject } from "../../mesh/model/object.ts";
import type { Service } from "../../mesh/model/service.ts";
import type { CaptureMode, OutboundTrafficPolicy, SidecarPort } from "../../mesh/model/sidecar.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { type Import, importsOf, importsOfSidecar, importsService } from "./imports.ts";
import { type ServiceClient, serviceFor } from "./services.ts";

/** One way out of a workload: the services that are reached through one set of listeners. */
export interface EgressListener {
  /** Undefined: at every port of the services. */
  readonly port: SidecarPort | undefined;
  /** IP address or `unix://` path; empty: what follows from how connections come to the proxy. */
  readonly bind: string;
  readonly captureMode: CaptureMode;
  /** Oldest first. */
  readonly hosts: readonly string[];
  /** Which VirtualServices count for them; undefined: all that are visible. */
  readonly imports: readonly Import[] | undefined;
}

/** What a workload may call. */
export interface EgressScope {
  readonly listeners: readonly EgressListener[];
  readonly outboundTrafficPolicy: OutboundTrafficPolicy;
}

/** Without a Sidecar: everything that its owner exports to the namespace. */
export function meshScope(view: SnapshotView, namespace: string): EgressScope {
  const services = servicesFor(view, { namespace, prefers: [] });
  return scopeOf(
    view,
    services.map(({ hostname }) => hostname),
  );
}

/** These services and no others. */
export function scopeOf(view: SnapshotView, hosts: readonly string[]): EgressScope {
  return {
    listeners: [{ port: undefined, bind: "", captureMode: "DEFAULT", hosts, imports: undefined }],
    outboundTrafficPolicy: meshPolicy(view),
  };
}

/** What a Sidecar lets the workloads of a namespace call. In the root namespace it speaks for the one of the workload. */
export function sidecarScope(
  view: SnapshotView,
  { spec }: StoredObject<"Sidecar">,
  namespace: string,
): EgressScope {
  const outboundTrafficPolicy = spec.outboundTrafficPolicy ?? meshPolicy(view);
  if (spec.egress.length === 0) return { ...meshScope(view, namespace), outboundTrafficPolicy };
  const prefers = importsOfSidecar(view.settings, spec, namespace);
  const services = servicesFor(view, { namespace, prefers });
  const listeners = spec.egress.map(({ port, bind, captureMode, hosts }) => {
    const imports = importsOf(view.settings, hosts, namespace);
    const chosen = services.filter(
      (service) =>
        importsService(imports, service) &&
        (port === undefined ||
          port.number === 0 ||
          service.ports.some(({ number }) => number === port.number)),
    );
    return { port, bind, captureMode, hosts: chosen.map(({ hostname }) => hostname), imports };
  });
  return { listeners, outboundTrafficPolicy };
}

/** One of each host that a client sees, oldest first. */
function servicesFor(view: SnapshotView, client: ServiceClient): readonly Service[] {
  return view.hosts.flatMap(({ hostname, key }) => {
    const service = serviceFor(view, hostname, client);
    return service?.key === key ? [service] : [];
  });
}

function meshPolicy({ settings }: SnapshotView): OutboundTrafficPolicy {
  return { mode: settings.mesh.outboundTrafficPolicy ?? "ALLOW_ANY", egressProxy: undefined };
}
