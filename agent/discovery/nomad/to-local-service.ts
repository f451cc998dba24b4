import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints } from "../../../mesh/model/vocabulary.ts";
import { DEFAULTED, type SocketAddress } from "../../../mesh/model/workload.ts";
import type { NomadAllocation } from "../../../mesh/nomad/nomad-allocation.ts";
import type { NomadRegistration } from "../../../mesh/nomad/nomad-services.ts";
import { defaultServiceAccount } from "../default-service-account.ts";
import type { LocalService, LocalUpstream } from "../discovery.ts";
import { workloadName } from "../workload-name.ts";

/** What is known beside a registration. */
export interface Surroundings {
  readonly allocation: NomadAllocation;
  readonly healthy: boolean;
  /** The host's own address in the network of an allocation's address; undefined: it has none there. */
  readonly hostAddressNear: (address: string) => string | undefined;
}

/** A registration that wants to be in the mesh, as a service of this host. One with an error among `violations` is none. */
export function toLocalService(
  registration: NomadRegistration,
  around: Surroundings,
): { readonly service: LocalService | undefined; readonly violations: readonly Violation[] } {
  const { id, service, namespace, tags, address, port } = registration;
  const { hints, problems } = parseServiceHints(service, tags, {});
  const violations = [...problems];
  const serviceAccount = hints.serviceAccount ?? defaultServiceAccount(service);
  const refuse = (path: string, message: string): void =>
    void violations.push({ path, message, severity: "error" });
  if (address === "") refuse("Address", "is empty");
  if (port === 0) refuse("Port", "is 0");
  if (serviceAccount === undefined)
    refuse("ServiceName", "cannot be a service account: give one with lateen.sa=…");
  if (serviceAccount === undefined || violations.some(({ severity }) => severity === "error")) {
    return { service: undefined, violations };
  }
  const said = {
    serviceAccount: hints.serviceAccount !== undefined,
    weight: hints.weight !== undefined,
    app: hints.saysApp,
  };
  const name = workloadName(id, service, around.allocation.nodeName);
  const local: LocalService = {
    id: name,
    service,
    namespace: hints.namespace ?? namespace,
    serviceAccount,
    ...placesOf(registration, hints.app, around.allocation),
    servicePort: hints.port ?? port,
    protocol: hints.protocol ?? "tcp",
    labels: hints.labels,
    upstreams: hints.upstreams.map((upstream) => bindNear(upstream, around)),
    healthy: around.healthy,
    weight: hints.weight ?? 1,
    locality: hints.locality ?? "",
    network: hints.network ?? "",
    discovery: hints.discovery,
    interception: hints.interception ?? "none",
    owner: hints.owner,
    vips: hints.vips,
    mtls: hints.mtls,
    httpProxy: hints.httpProxy && {
      address: hints.httpProxy.address ?? near(around),
      port: hints.httpProxy.port,
    },
    catalog: { registry: "nomad", instanceId: id },
    group:
      hints.group === undefined
        ? undefined
        : { name: hints.group, defaulted: DEFAULTED.filter((field) => !said[field]) },
    probe: undefined,
  };
  return { service: local, violations };
}

/**
 * Where a service of an allocation is. Its port stays its application's, which is started after the registration. In a
 * network of its own the kernel passes the host's port on, and the proxy calls the application there.
 */
export function placesOf(
  { address, port }: SocketAddress,
  told: SocketAddress | undefined,
  allocation: NomadAllocation | undefined,
): Pick<LocalService, "address" | "app" | "inbound"> {
  const inbound = { kind: "mesh-port" } as const;
  const inside = allocation?.address;
  if (allocation === undefined || inside === undefined)
    return { address: { address, port }, app: told, inbound };
  const mapped = allocation.ports.find(({ value, to }) =>
    address === inside ? (to || value) === port : value === port,
  );
  const host = address === inside ? mapped?.hostAddress || address : address;
  const app = told ?? { address: inside, port: mapped === undefined ? port : mapped.to || mapped.value };
  return { address: { address: host, port }, app, inbound };
}

/** What an allocation with a network of its own calls is bound where it reaches the host. */
function bindNear(
  upstream: Omit<LocalUpstream, "bindAddress" | "bindPort"> & Partial<LocalUpstream>,
  around: Surroundings,
): LocalUpstream {
  const { host, port, bindAddress = near(around), bindPort } = upstream;
  return { host, port, bindAddress, bindPort };
}

function near({ allocation, hostAddressNear }: Surroundings): string | undefined {
  return allocation.address === undefined ? undefined : hostAddressNear(allocation.address);
}
