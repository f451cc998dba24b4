import type { WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";

/** Never through a proxy: the application's own host, as every client understands it. */
const NO_PROXY = "localhost,127.0.0.1,::1";

/**
 * What an application reads to call services: the addresses of declared upstreams, in our spelling and in Nomad's, and the
 * forward proxy for HTTP. There is no `https_proxy`: the mesh encrypts, and a tunnel through it would hide the calls from it.
 */
export function serviceEnvironment({
  httpProxy,
  upstreams,
}: Pick<WorkloadStatus, "httpProxy" | "upstreams">): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  if (httpProxy !== undefined) {
    for (const name of ["http_proxy", "HTTP_PROXY"]) found[name] = `http://${httpProxy}`;
    for (const name of ["no_proxy", "NO_PROXY"]) found[name] = NO_PROXY;
  }
  for (const written of upstreams) {
    const [, at = "", host = ""] = /^(\S+) -> (.+):\d+$/.exec(written) ?? [];
    if (host === "") continue;
    const name = host.replaceAll(/[^A-Za-z0-9]/g, "_");
    found[`LATEEN_UPSTREAM_ADDR_${name.toUpperCase()}`] = at;
    found[`NOMAD_UPSTREAM_ADDR_${name}`] = at;
  }
  return found;
}
