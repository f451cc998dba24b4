import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import type { LocalService } from "../discovery/discovery.ts";
import type { DnsState } from "../dns/dns-server.ts";

/** What is wrong with a host's DNS, as far as its agent has to do with it. */
export function dnsFindings(state: DnsState | undefined): readonly HostFinding[] {
  if (state === undefined || state.places.length === 0) return [];
  return [...placeFindings(state), ...loopFindings(state), ...upstreamFindings(state)];
}

function placeFindings({ places }: DnsState): readonly HostFinding[] {
  return places.flatMap(({ place: { address, port }, problem }) => {
    if (problem === undefined) return [];
    const hint = /EACCES/.test(problem)
      ? "grant CAP_NET_BIND_SERVICE (lateen-agent.service has it), or give dns.listen another port"
      : `look who has it (ss -lnup sport = :${port}), or give dns.listen another place`;
    return [
      finding("host.dns-port", "error", {
        message: `DNS questions cannot be taken at ${address}:${port}: ${problem}`,
        hint,
      }),
    ];
  });
}

function loopFindings({ upstreams }: DnsState): readonly HostFinding[] {
  const others = upstreams.filter(({ loops }) => !loops);
  return upstreams
    .filter(({ loops }) => loops)
    .map(({ name }) =>
      finding("host.dns-loop", others.length === 0 ? "error" : "warning", {
        message: `the resolver ${name} asks this agent what the agent asks it: it is left out, and ${others.length === 0 ? "names outside the mesh cannot be had" : "the others are asked"}`,
        hint: "name the resolvers of your network in dns.upstreams of agent.yaml, or in /etc/resolv.conf",
      }),
    );
}

function upstreamFindings({ upstreams }: DnsState): readonly HostFinding[] {
  const usable = upstreams.filter(({ loops }) => !loops);
  const hint = "name resolvers that answer in /etc/resolv.conf, or in dns.upstreams of agent.yaml";
  if (upstreams.length === 0)
    return [
      finding("host.dns-upstream", "warning", {
        message: "this host has no resolver: names outside the mesh cannot be had",
        hint,
      }),
    ];
  if (usable.length === 0 || usable.some(({ failure }) => failure === undefined)) return [];
  const why = usable.map(({ name, failure }) => `${name} (${failure})`).join(", ");
  return [
    finding("host.dns-upstream", "error", {
      message: `no resolver answers: ${why}; names outside the mesh cannot be had, those of the mesh can`,
      hint,
    }),
  ];
}

type Calls = Pick<LocalService, "namespace" | "service" | "vips" | "interception">;

/** Whoever asks is answered from one workload's names, and its listeners take whoever calls them. */
export function sharedNamesFindings(services: readonly Calls[]): readonly HostFinding[] {
  const caller = services.find(({ vips }) => vips);
  const captured = services.filter(({ vips, interception }) => !vips && interception !== "none");
  if (caller === undefined || captured.length === 0) return [];
  const whose = `${caller.namespace}/${caller.service}`;
  const names = captured.map(({ namespace, service }) => `${namespace}/${service}`).join(", ");
  return [
    finding("host.dns-shared", "warning", {
      message: `names are told on this host as ${whose} may see them, also to ${names}, whose calls are captured: what they call at 127.240.x.y goes out as ${whose}`,
      hint: `take vips away from ${whose} and have its calls captured too, or give them hosts of their own; with vips: routed in agent.yaml captured calls go out as themselves`,
    }),
  ];
}

function finding(
  code: HostFinding["code"],
  severity: HostFinding["severity"],
  text: Pick<HostFinding, "message" | "hint">,
): HostFinding {
  return { code, severity, workload: "", ...text };
}
