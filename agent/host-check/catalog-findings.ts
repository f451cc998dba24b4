import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { consulClient } from "../../mesh/consul/consul-client.ts";
import { MeshError } from "../../mesh/errors.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import type { AgentConfig } from "../config.ts";
import { nomadFinding } from "../discovery/nomad/nomad-findings.ts";

const PATIENCE_MS = 3_000;

/** Whether the catalog's agent on this host answers, and lets this host's token in. */
export async function catalogFindings(
  discovery: AgentConfig["discovery"],
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const { kind, consul, tokenFile, nomad } = discovery;
  if (kind === "nomad") return await nomadFindings(nomad, signal);
  if (kind !== "consul") return [];
  using client = consulClient({ address: consul, tokenFile });
  try {
    for (const path of ["/agent/self", "/agent/services"])
      await client.get({ path, timeoutMs: PATIENCE_MS }, signal);
    return [];
  } catch (error) {
    const { message, hint = "", cause } = MeshError.from(error);
    const refused = isRefusal(cause);
    return [
      {
        code: refused ? "host.catalog-token" : "host.catalog-unreachable",
        severity: "error",
        workload: "",
        message: `${message}: services of this host are not seen, what was known of them stays in force`,
        hint:
          hint ||
          "start the Consul agent, set discovery.consul to where it is, or set discovery.kind to file",
      },
    ];
  }
}

async function nomadFindings(
  settings: AgentConfig["discovery"]["nomad"],
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  try {
    await using client = await nomadClient(settings);
    for (const path of ["/agent/self", "/services?namespace=*"])
      await client.get({ path, timeoutMs: PATIENCE_MS }, signal);
    return [];
  } catch (error) {
    return [nomadFinding(error)];
  }
}

function isRefusal(cause: unknown): boolean {
  return (
    typeof cause === "object" &&
    cause !== null &&
    "statusCode" in cause &&
    [401, 403].includes(Number(cause.statusCode))
  );
}
