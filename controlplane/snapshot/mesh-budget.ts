import { MeshError } from "../../mesh/errors.ts";

/** How much objects and catalogs expand to, at most: what counts is what is written, before anything is built from it. */
export interface MeshSize {
  /** Of hosts, with each port, once more for each subset and each gateway between networks; of Sidecars' ingress listeners. */
  readonly clusters: number;
  /** Of hosts, with each port, at each address; once more for each subset. */
  readonly endpoints: number;
  /**
   * Of VirtualServices, with each host, for each match; with those of delegates, for each port of the host, and for each
   * server of a Gateway that has the host. And of Gateways, each server with each host.
   */
  readonly routes: number;
  /** Of Sidecars, each host that they let in. */
  readonly imports: number;
}

export type SizePart = keyof MeshSize;

/** A bound against what takes all memory: ten times a large mesh (10,000 services with ten endpoints each). */
export const MESH_BUDGET: MeshSize = {
  clusters: 100_000,
  endpoints: 1_000_000,
  routes: 500_000,
  imports: 5_000_000,
};

const PARTS: Readonly<Record<SizePart, { readonly count: string; readonly remedy: string }>> = {
  clusters: {
    count: "clusters (hosts × ports × subsets)",
    remedy: "name fewer hosts or ports in ServiceEntries, or fewer subsets for many hosts",
  },
  endpoints: {
    count: "endpoints (hosts × ports × addresses × subsets)",
    remedy: "list endpoints for fewer hosts and ports, or put a load balancer's address in their place",
  },
  routes: {
    count: "routes (hosts × matches × ports or servers, with those of delegates)",
    remedy: "name fewer hosts in VirtualServices with many matches, or put hosts behind one with a wildcard",
  },
  imports: {
    count: "hosts in Sidecars' egress",
    remedy: "have Sidecars let in the hosts that are called, not whole namespaces",
  },
};

/** The part in which `size` is beyond the budget; with `before`, only where it has grown: what shrinks is let through. */
export function exceeded(size: MeshSize, before?: MeshSize): SizePart | undefined {
  const parts = Object.keys(MESH_BUDGET) as SizePart[];
  return parts.find(
    (part) => size[part] > MESH_BUDGET[part] && (before === undefined || size[part] > before[part]),
  );
}

/** `largest`: the object that adds most, where one is to be told. */
export function tooLarge(part: SizePart, size: MeshSize, largest?: string): MeshError {
  const { count, remedy } = PARTS[part];
  const [given, most] = [size[part], MESH_BUDGET[part]].map((number) => number.toLocaleString("en"));
  const told = largest === undefined ? "" : `; ${largest} adds most of them`;
  return new MeshError(
    "mesh.too-large",
    `the mesh would have ${given} ${count}, at most ${most} are held${told}`,
    {
      hint: remedy,
    },
  );
}
