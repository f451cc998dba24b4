import { request } from "undici";
import { MeshError } from "../../mesh/errors.ts";
import { findTool } from "../../setup/find-tool.ts";
import { startConsul } from "../../setup/run-consul.ts";
import type { Topology } from "./topology.ts";

export interface DemoConsul extends AsyncDisposable {
  readonly address: string;
}

/**
 * The Consul that the demo registers in: one that already runs (`CONSUL_HTTP_ADDR`, or port 8500 on loopback) unless
 * `ownOnly`, else one of its own, in memory, on an address of the demo's block.
 */
export async function consulForDemo(
  topology: Topology,
  options: { readonly ownOnly: boolean; readonly signal: AbortSignal },
): Promise<DemoConsul> {
  const running = withScheme(process.env["CONSUL_HTTP_ADDR"] ?? "127.0.0.1:8500");
  if (!options.ownOnly && (await hasLeader(running))) {
    return { address: running, [Symbol.asyncDispose]: async () => {} };
  }
  const binary = findTool("consul");
  if (binary === undefined) {
    throw new MeshError("registry.unavailable", "start a Consul for the demo: there is no consul binary", {
      hint: "run make tools, or set LATEEN_CONSUL to the path of one",
    });
  }
  return startConsul(binary, options.signal, topology.consul);
}

function withScheme(address: string): string {
  return /^https?:\/\//.test(address) ? address : `http://${address}`;
}

async function hasLeader(url: string): Promise<boolean> {
  try {
    const answer = await request(`${url}/v1/status/leader`, { headersTimeout: 1000, bodyTimeout: 1000 });
    const leader = await answer.body.text();
    return answer.statusCode === 200 && /"[^"]+"/.test(leader);
  } catch {
    return false;
  }
}
