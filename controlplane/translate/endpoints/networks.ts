import { BlockList, isIP } from "node:net";
import type { Endpoint } from "../../../mesh/model/service.ts";
import { findService } from "../../policy/services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { by } from "../../snapshot/text-order.ts";

/** Where another network is entered: mTLS goes in here and is led on by its SNI. */
export interface NetworkGateway {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

type View = Pick<SnapshotView, "settings" | "services" | "endpoints" | "networkEntries">;

/** The gateways of a network, those of MeshNetworks and labelled workloads, sorted. */
export function networkGateways(view: View, network: string): readonly NetworkGateway[] {
  const declared = view.settings.mesh.networks[network]?.gateways ?? [];
  const found = declared.flatMap(({ address, service, port }): readonly NetworkGateway[] =>
    service === "" ? [{ address, port }] : serviceGateways(view, service, port),
  );
  const labelled = view.networkEntries.filter((entry) => entry.network === network);
  const usable = [...found, ...labelled].filter(({ address }) => isIP(address) !== 0);
  const unique = new Map(usable.map(({ address, port }) => [`${address}:${port}`, { address, port }]));
  return [...unique].sort(by(([key]) => key)).map(([, one]) => one);
}

/** Whether any network has a way in: else there is nothing to decide. */
export function isMultiNetwork({ settings, networkEntries }: View): boolean {
  return (
    networkEntries.length > 0 ||
    Object.values(settings.mesh.networks).some(({ gateways }) => gateways.length > 0)
  );
}

/** The network of an endpoint: its own, or the one whose address blocks have it. Empty: reached directly. */
export function networkOf(
  { settings }: Pick<View, "settings">,
  endpoint: Pick<Endpoint, "network" | "targets">,
): string {
  if (endpoint.network !== "") return endpoint.network;
  const address = endpoint.targets[0]?.address ?? "";
  const family = isIP(address);
  if (family === 0) return "";
  const blocks = blocksOf(settings.mesh.networks);
  const found = blocks.find(({ block }) => block.check(address, family === 6 ? "ipv6" : "ipv4"));
  return found?.network ?? "";
}

/** Whether a client reaches endpoints of a network only through its gateways (Istio's split horizon). */
export function isRemote(view: View, from: string, network: string): boolean {
  return network !== "" && network !== from && networkGateways(view, network).length > 0;
}

/** A service that the MeshConfig names: of several the one that its own namespace has. */
function serviceGateways(view: View, host: string, port: number): readonly NetworkGateway[] {
  const { rootNamespace: namespace } = view.settings;
  const service = findService(view, host, namespace, { namespace, prefers: [] });
  if (service === undefined) return [];
  return view
    .endpoints(service.key)
    .filter(({ healthy }) => healthy)
    .flatMap(({ targets }) => {
      const target = targets.find(({ servicePort }) => servicePort === port) ?? targets[0];
      if (target === undefined) return [];
      return [{ address: target.address, port: target.servicePort === port ? target.port : port }];
    });
}

interface NetworkBlock {
  readonly network: string;
  readonly block: BlockList;
}

type Networks = View["settings"]["mesh"]["networks"];

const known = new WeakMap<Networks, readonly NetworkBlock[]>();

function blocksOf(networks: Networks): readonly NetworkBlock[] {
  const before = known.get(networks);
  if (before !== undefined) return before;
  const blocks = Object.entries(networks)
    .sort(by(([name]) => name))
    .map(([network, { cidrs }]): NetworkBlock => ({ network, block: blockList(cidrs) }));
  known.set(networks, blocks);
  return blocks;
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", length] = cidr.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(length), family);
  }
  return list;
}
