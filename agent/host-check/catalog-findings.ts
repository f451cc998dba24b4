import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { consulClient } from "../../mesh/consul/consul-client.ts";
import { MeshError } from "../../mesh/errors.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import type { AgentConfig } from "../config.ts";
import { filesAt } from "../discovery/file/service-files.ts";
import { nomadFinding } from "../discovery/nomad/nomad-findings.ts";

const PATIENCE_MS = 3_000;

/**
 * Whether the catalog's agent on this host answers, and lets this host's token in; and whether somebody declares services
 * in files that nobody reads, because they are declared in Consul.
 */
export async function catalogFindings(
  discovery: AgentConfig["discovery"],
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  if (discovery.kind === "nomad") return await nomadFindings(discovery.nomad, signal);
  if (discovery.kind !== "consul") return [];
  const found = await Promise.all([consulFindings(discovery, signal), idleFiles(discovery)]);
  return found.flat();
}

async function idleFiles({ path }: AgentConfig["discovery"]): Promise<readonly HostFinding[]> {
  const { files } = await filesAt(path).catch(() => ({ files: [] }));
  const [first, ...others] = files;
  if (first === undefined) return [];
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return [
    {
      code: "host.services-file",
      severity: "warning",
      workload: "",
      message: `${first}${more}: nobody reads it, services of this host are declared in Consul`,
      hint: "register them with the local Consul agent and remove the files, or set discovery.kind to file",
    },
  ];
}

async function consulFindings(
  { consul, tokenFile, tls }: AgentConfig["discovery"],
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  using client = consulClient({ address: consul, tokenFile, tls });
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
