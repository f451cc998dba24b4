import * as z from "zod";

const MESH_PORTS = { first: 21_000, last: 21_255 } as const;

const nodeSchema = z.object({
  NodeResources: z.object({ MinDynamicPort: z.number(), MaxDynamicPort: z.number() }).nullish(),
  ReservedResources: z
    .object({ Networks: z.object({ ReservedHostPorts: z.string().nullish() }).nullish() })
    .nullish(),
});

/**
 * Reads `/v1/node/:id`: the range of dynamic ports, where Nomad may give jobs one of the proxies' ports; undefined: it
 * may not, or does not say.
 */
export function dynamicPortsOfProxies(body: unknown): string | undefined {
  const { data } = nodeSchema.safeParse(body);
  const resources = data?.NodeResources;
  if (!resources) return undefined;
  const { MinDynamicPort: least, MaxDynamicPort: most } = resources;
  const taken = parseRanges(data?.ReservedResources?.Networks?.ReservedHostPorts ?? "");
  for (let port: number = MESH_PORTS.first; port <= MESH_PORTS.last; port += 1) {
    const reserved = taken.some(([from, to]) => port >= from && port <= to);
    if (port >= least && port <= most && !reserved) return `${least}–${most}`;
  }
  return undefined;
}

/** `22,80,8500-8600`. */
function parseRanges(text: string): readonly (readonly [number, number])[] {
  return text
    .split(",")
    .map((part) => part.trim().split("-").map(Number))
    .map(([from = Number.NaN, to = from]) => [from, to]);
}
