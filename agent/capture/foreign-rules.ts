import * as z from "zod";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { CapturePlan } from "./capture-plan.ts";
import { BRIDGE, TABLE } from "./ruleset.ts";

const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const chainSchema = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  prio: z.number().optional(),
  policy: z.string().optional(),
});
type Chain = z.output<typeof chainSchema>;

/** Chains of other meshes, by what their set-up calls them. */
const OTHER_MESHES: readonly (readonly [RegExp, string, string])[] = [
  [/^ISTIO_/, "Istio", "pilot-agent istio-iptables --cleanup-only"],
  [
    /^CONSUL_(PROXY|DNS)_/,
    "Consul",
    "remove Consul's chains: iptables -t nat -F and -X of each CONSUL_ chain",
  ],
  [/^KUMA_MESH_/, "Kuma", "kumactl uninstall transparent-proxy"],
];
const FAMILIES: ReadonlySet<string> = new Set(["ip", "ip6", "inet"]);
const OURS = -110;
const OWN: ReadonlySet<string> = new Set([TABLE, BRIDGE]);

/**
 * Rules of somebody else that capture does not get past, in `nft -j list ruleset`. They are only looked at. Throws a
 * ZodError or SyntaxError for what is no listing. Pure.
 */
export function foreignRules(
  json: string,
  { services }: Pick<CapturePlan, "services">,
): readonly HostFinding[] {
  const chains = listing
    .parse(JSON.parse(json))
    .nftables.flatMap(({ chain }) => chainSchema.safeParse(chain).data ?? [])
    .filter(({ family, table }) => FAMILIES.has(family) && !OWN.has(`${family} ${table}`));
  return [...otherMeshes(chains), ...earlier(chains), ...firewalls(chains, services)];
}

function otherMeshes(chains: readonly Chain[]): readonly HostFinding[] {
  return OTHER_MESHES.flatMap(([pattern, mesh, remedy]) => {
    const found = chains.find(({ name }) => pattern.test(name));
    if (found === undefined) return [];
    return [
      foreign(
        "error",
        `${mesh} captures connections of this host too (chain ${placeOf(found)}): what our proxies call would go to its proxy`,
        `${remedy}; or leave these services with ${mesh}`,
      ),
    ];
  });
}

/** Of two chains that may send a connection elsewhere, the earlier has it. */
function earlier(chains: readonly Chain[]): readonly HostFinding[] {
  return chains
    .filter(({ type, hook, prio }) => type === "nat" && HOOKS.has(hook ?? "") && (prio ?? 0) <= OURS)
    .map((chain) =>
      foreign(
        "warning",
        `chain ${placeOf(chain)} comes before ours (priority ${chain.prio}): what it sends elsewhere is not captured`,
        "look at it: nft list chain ".concat(placeOf(chain)),
      ),
    );
}

const HOOKS: ReadonlySet<string> = new Set(["output", "prerouting"]);

/** A redirected connection comes to a firewall with the proxy's port. */
function firewalls(chains: readonly Chain[], services: CapturePlan["services"]): readonly HostFinding[] {
  const ports = services.flatMap(({ inbound }) => inbound ?? []);
  if (ports.length === 0) return [];
  return chains
    .filter(({ type, hook, policy }) => type === "filter" && hook === "input" && policy === "drop")
    .map((chain) =>
      foreign(
        "warning",
        `the firewall (chain ${placeOf(chain)}) drops what it does not know, and captured calls come to it at port ${ports.join(", ")}`,
        `let in what was redirected: nft insert rule ${placeOf(chain)} ct status dnat accept; or open these ports (ufw allow, firewall-cmd --add-port)`,
      ),
    );
}

function placeOf({ family, table, name }: Chain): string {
  return `${family} ${table} ${name}`;
}

function foreign(severity: HostFinding["severity"], message: string, hint: string): HostFinding {
  return { code: "host.foreign-rules", severity, workload: "", message, hint };
}
