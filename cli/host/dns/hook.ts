import { dirname, join } from "node:path";
import type { DnsStatus } from "../../../mesh/admin-api/agent-status.ts";

/** What on a host sends questions to its agent. */
export const HOOK_KINDS: readonly ["resolved", "dnsmasq", "consul", "resolv-conf"] = [
  "resolved",
  "dnsmasq",
  "consul",
  "resolv-conf",
];
export type HookKind = (typeof HOOK_KINDS)[number];

/** What is seen of a host's ways to look up names. */
export interface HookFacts {
  /** systemd-resolved runs. */
  readonly resolved: boolean;
  /** dnsmasq runs, and reads this directory. */
  readonly dnsmasq: boolean;
  /** A Consul agent runs, and reads this directory. */
  readonly consul: boolean;
  readonly resolvConf: ResolvConfFacts;
}

interface ResolvConfFacts {
  /** Where it leads to; undefined: it is a file, or is not there. */
  readonly link: string | undefined;
  /** A file system of its own is mounted there, as containers have it. */
  readonly isMount: boolean;
  readonly text: string | undefined;
}

/** A change to a host, before it is made. */
export interface HookPlan {
  readonly kind: HookKind;
  readonly path: string;
  /** What the file says while this is planned; undefined: it is not there. */
  readonly from: string | undefined;
  readonly text: string;
  /** What has to be told that the file is there, and when it is gone. */
  readonly reload: readonly string[] | undefined;
  /** What else is to be known. */
  readonly notes: readonly string[];
}

export interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

/** The first line of every file that is written here: only such a one is removed. */
const WRITTEN = "Written by lateen host dns; lateen host dns --undo takes it away.";

const DROP_INS = {
  resolved: "/etc/systemd/resolved.conf.d/lateen.conf",
  dnsmasq: "/etc/dnsmasq.d/lateen.conf",
  consul: "/etc/consul.d/00-lateen-dns.json",
} as const;

export const RESOLV_CONF = "/etc/resolv.conf";

/** The directory that has to be there for a way to be one. */
export function dropInDirectory(kind: Exclude<HookKind, "resolv-conf">): string {
  return dirname(DROP_INS[kind]);
}

/** Chooses the way that fits a host, where nobody says one. */
export function chooseHook(facts: HookFacts): HookKind {
  if (facts.resolved) return "resolved";
  if (facts.dnsmasq) return "dnsmasq";
  return "resolv-conf";
}

/** What would be done. Pure. */
export function planHook(kind: HookKind, facts: HookFacts, dns: DnsStatus): HookPlan | Refusal {
  const places = dns.listening.filter(({ problem }) => problem === undefined).map(({ at }) => at);
  const [place] = places;
  if (place === undefined)
    return {
      reason: "the agent takes no DNS questions",
      hint: "lateen check says why; dns.listen of agent.yaml says where",
    };
  switch (kind) {
    case "resolved":
      return resolvedPlan(place, dns);
    case "dnsmasq":
      return dnsmasqPlan(place, dns);
    case "consul":
      return consulPlan(place);
    case "resolv-conf":
      return resolvConfPlan(places, facts.resolvConf, dns);
    default:
      return kind satisfies never;
  }
}

/** resolved.conf(5): domains without `~` are searched too, so that a bare name is a service. */
function resolvedPlan(place: string, { search, zones }: DnsStatus): HookPlan {
  const routed = zones.filter((zone) => !search.includes(zone)).map((zone) => `~${zone}`);
  return {
    kind: "resolved",
    path: DROP_INS.resolved,
    from: undefined,
    text: `# ${WRITTEN}\n[Resolve]\nDNS=${place}\nDomains=${[...search, ...routed].join(" ")}\n`,
    reload: ["systemctl", "try-reload-or-restart", "systemd-resolved.service"],
    notes: [],
  };
}

/** Only zones that are the mesh's alone: the agent asks dnsmasq for all others, which would ask the agent again. */
function dnsmasqPlan(place: string, { zones, search }: DnsStatus): HookPlan {
  const lines = zones.map((zone) => `server=/${zone}/${withHash(place)}`);
  return {
    kind: "dnsmasq",
    path: DROP_INS.dnsmasq,
    from: undefined,
    text: `# ${WRITTEN}\n${lines.join("\n")}\n`,
    reload: ["systemctl", "try-restart", "dnsmasq.service"],
    notes: [
      `names without a dot are services where the host searches their domain: "search ${search.join(" ")}" in ${RESOLV_CONF}, or from DHCP`,
    ],
  };
}

function withHash(place: string): string {
  const colon = place.lastIndexOf(":");
  return `${place.slice(0, colon).replace(/^\[|\]$/g, "")}#${place.slice(colon + 1)}`;
}

/**
 * Consul forwards what is not its own to its recursors, the first of which is asked first. It reads its files in the order
 * of their names and puts their recursors one after the other: ours is to come first.
 */
function consulPlan(place: string): HookPlan {
  return {
    kind: "consul",
    path: DROP_INS.consul,
    from: undefined,
    text: `${JSON.stringify({ recursors: [place] }, undefined, 2)}\n`,
    reload: ["consul", "reload"],
    notes: [
      "names that Consul has, .consul, stay Consul's; all others go to the agent, and from there to the host's resolvers",
    ],
  };
}

function resolvConfPlan(
  places: readonly string[],
  { link, isMount, text }: ResolvConfFacts,
  { search }: DnsStatus,
): HookPlan | Refusal {
  const place = places.find((one) => one.endsWith(":53"));
  if (place === undefined)
    return {
      reason: "resolv.conf has no word for a port, and the agent does not listen at port 53",
      hint: 'set dns.listen in agent.yaml to ["127.0.0.1:15053", "127.0.0.1:53"], and restart the agent',
    };
  const owner = managerOf(link, text);
  if (owner !== undefined)
    return {
      reason: `${RESOLV_CONF} is ${owner}'s: what is written there would be gone with its next change`,
      hint: `hook up ${owner} (--by resolved, --by dnsmasq), or give it ${place} as its resolver`,
    };
  if (isMount)
    return {
      reason: `${RESOLV_CONF} is mounted from elsewhere, as in a container`,
      hint: "set the resolver where that is said, as in docker run --dns",
    };
  const before = (text ?? "").split("\n");
  const address = place.slice(0, -":53".length).replace(/^\[|\]$/g, "");
  const searched =
    before
      .findLast((line) => /^\s*(search|domain)\s/.test(line))
      ?.trim()
      .split(/\s+/)
      .slice(1) ?? [];
  const rest = before.filter((line) => line.trim() !== "" && !/^\s*(search|domain)\s/.test(line));
  const lines = [
    `# ${WRITTEN}`,
    `nameserver ${address}`,
    `search ${[...new Set([...search, ...searched])].join(" ")}`,
    // Those that were there are asked when the agent is away, and by the agent.
    ...rest,
  ];
  return {
    kind: "resolv-conf",
    path: RESOLV_CONF,
    from: text,
    text: `${lines.join("\n")}\n`,
    reload: undefined,
    notes: [],
  };
}

/** Who else writes the file; undefined: nobody that can be seen. */
function managerOf(link: string | undefined, text: string | undefined): string | undefined {
  const traces: readonly (readonly [RegExp, string])[] = [
    [/systemd\/resolve|systemd-resolved/, "systemd-resolved"],
    [/NetworkManager/, "NetworkManager"],
    [/resolvconf/, "resolvconf"],
    [/dhclient|dhcpcd|udhcpc/, "the DHCP client"],
    [/tailscale/i, "Tailscale"],
    [/connman/i, "ConnMan"],
  ];
  const comments = (text ?? "").split("\n").filter((line) => /^\s*[#;]/.test(line));
  const said = [link ?? "", ...comments].join("\n");
  const known = traces.find(([trace]) => trace.test(said))?.[1];
  if (known !== undefined) return known;
  if (link !== undefined) return `whoever writes ${join("/etc", link)}`;
  return /generated|managed|do not edit/i.test(comments.join("\n")) ? "another program" : undefined;
}
