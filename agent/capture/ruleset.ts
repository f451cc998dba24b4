import { isIPv6 } from "node:net";
import type { CapturedService, CapturePlan } from "./capture-plan.ts";

/** The one table that is ours: nothing else is ever touched. */
export const TABLE = "inet lateen";
/** Is there for a moment only. */
export const BRIDGE = "inet lateen-bridge";
/** Set of what is captured: without elements nothing is, and they may end by themselves. */
const ARMED = "armed";

/** Begins the name of an empty chain, which tells one making of the table from another. */
export const MARK = "made_";

/** Before docker's and Consul's rules (-100): of two that redirect a connection, the first wins. */
const PRIORITY = -110;
/** Where services have addresses of the mesh's own; with an AnyIP route they are the host's, too. */
const VIPS = "240.240.0.0/16";
/** From here proxies call their own applications (the source addresses of passthrough clusters). */
const TO_APPLICATION = { ipv4: "127.0.0.6", ipv6: "::1" } as const;
/** A connection that is there already is not redirected in its middle: the proxy knows nothing of it. */
const FIRST_PACKET = "tcp flags & (fin | syn | rst | ack) != syn return";

export interface RulesOptions {
  /** Names this making of the table: who looks after it touches no other. Hexadecimal. */
  readonly mark: string;
  /** The kernel itself ends capture after so long unless it is confirmed; undefined: it goes on. */
  readonly endsAfterSeconds: number | undefined;
  /** Whether a control group is there now: nft refuses those that are not. */
  readonly hasGroup: (path: string) => boolean;
}

/** What `nft -f` takes: in one transaction our table is as the plan says, whatever it was. Pure. */
export function captureRules(plan: CapturePlan, { mark, endsAfterSeconds, hasGroup }: RulesOptions): string {
  const { services, dnsPort } = plan;
  const protocols = dnsPort === undefined ? ["tcp"] : ["tcp", "udp"];
  const life = endsAfterSeconds === undefined ? "" : ` timeout ${endsAfterSeconds}s`;
  const elements = protocols.map((protocol) => `${protocol}${life}`).join(", ");
  return table([
    `set ${ARMED} { type inet_proto; flags timeout; elements = { ${elements} } }`,
    `set kept_ports { type inet_service; elements = { ${sorted(plan.keptPorts).join(", ")} } }`,
    ...services.flatMap((service) => groupSet(service, hasGroup)),
    markChain(mark),
    "chain arriving {",
    ...services.flatMap((service) => arriving(service, services)).map(indented),
    "}",
    "chain outbound {",
    ...outbound(plan).map(indented),
    "}",
    "chain inbound {",
    ...[
      `type nat hook prerouting priority ${PRIORITY}; policy accept;`,
      `meta l4proto != @${ARMED} return`,
      "meta l4proto != tcp return",
      FIRST_PACKET,
      'iifname "lo" return',
      "fib daddr type != local return",
      "tcp dport @kept_ports return",
      "goto arriving",
    ].map(indented),
    "}",
  ]);
}

/** Nothing more is captured; connections that were go on, for the kernel still translates them. */
export function restingRules(): string {
  return `flush set ${TABLE} ${ARMED}\n`;
}

/**
 * The kernel forgets how to translate connections when the last chain that may redirect is gone, be it for a moment: this
 * table bridges it while ours is replaced.
 */
export function bridgingRules(): string {
  const chain = (name: string, hook: string): string =>
    `\tchain ${name} { type nat hook ${hook} priority ${PRIORITY}; }`;
  return `table ${BRIDGE} {\n${chain("outbound", "output")}\n${chain("inbound", "prerouting")}\n}\n`;
}

/** Makes what would end by itself stay. Refused by nft when it has ended. */
export function confirmingRules({ dnsPort }: Pick<CapturePlan, "dnsPort">): string {
  const elements = dnsPort === undefined ? "{ tcp }" : "{ tcp, udp }";
  return `delete element ${TABLE} ${ARMED} ${elements}\nadd element ${TABLE} ${ARMED} ${elements}\n`;
}

/** Removes our table, if it is there. */
export function removingRules(): string {
  return gone(TABLE);
}

/** Removes what bridges, if it is there. */
export function unbridgingRules(): string {
  return gone(BRIDGE);
}

function gone(table: string): string {
  return `add table ${table}\ndelete table ${table}\n`;
}

/** A script that is refused as a whole when our table is another than was meant. */
export function ifMarked(mark: string, script: string): string {
  return `delete chain ${TABLE} ${MARK}${mark}\n${script}`;
}

/** Where the ids of a service's control groups are: a unit that starts anew has another one. */
export function groupSetName({ inbound, outbound }: Pick<CapturedService, "inbound" | "outbound">): string {
  return `owners_${inbound ?? outbound}`;
}

function markChain(mark: string): string {
  return `chain ${MARK}${mark} { }`;
}

function table(lines: readonly string[]): string {
  return `${removingRules()}table ${TABLE} {\n${lines.map(indented).join("\n")}\n}\n`;
}

function groupSet(service: CapturedService, hasGroup: RulesOptions["hasGroup"]): readonly string[] {
  const { owner } = service;
  if (owner?.kind !== "cgroup") return [];
  const elements = hasGroup(owner.path) ? ` elements = { ${quoted(owner.path)} }` : "";
  return [`set ${groupSetName(service)} { type cgroupsv2;${elements} }`];
}

/**
 * What comes to a service's place goes to its proxy; at all addresses only where its application listens at all, and no
 * other service has that port: what somebody else has at another address is not the service's.
 */
function arriving(service: CapturedService, all: readonly CapturedService[]): readonly string[] {
  const { place, everywhere, inbound, ipv6 } = service;
  if (inbound === undefined) return [];
  const shares = all.some((other) => other !== service && other.place.port === place.port);
  const family = isIPv6(place.address) ? "ip6" : "ip";
  const of = shares || !everywhere ? `${family} daddr ${place.address} ` : ipv6 ? "" : "meta nfproto ipv4 ";
  return [`${of}tcp dport ${place.port} redirect to :${inbound} ${comment(service)}`];
}

function outbound(plan: CapturePlan): readonly string[] {
  const { services, meshUid, dnsPort } = plan;
  // A group says more than a user, and one within another more than that one: the first rule that matches wins.
  const groups = services
    .filter(({ owner }) => owner?.kind === "cgroup")
    .toSorted((a, b) => depthOf(b) - depthOf(a));
  const users = services.filter(({ owner }) => owner?.kind === "uid");
  const captured = (service: CapturedService): string =>
    `${ownerMatch(service)} ${service.ipv6 ? "" : "meta nfproto ipv4 "}meta l4proto tcp redirect to :${service.outbound} ${comment(service)}`;
  const questions = (protocol: "udp" | "tcp"): readonly string[] =>
    dnsPort === undefined
      ? []
      : [...groups, ...users].map(
          (service) =>
            `${ownerMatch(service)} ${protocol} dport 53 redirect to :${dnsPort} ${comment(service)}`,
        );
  return [
    `type nat hook output priority ${PRIORITY}; policy accept;`,
    `meta l4proto != @${ARMED} return`,
    ...questions("udp"),
    "meta l4proto != tcp return",
    FIRST_PACKET,
    ...questions("tcp"),
    "ip daddr 127.0.0.0/8 return",
    "ip6 daddr ::1 return",
    `ip saddr ${TO_APPLICATION.ipv4} return`,
    `ip6 saddr ${TO_APPLICATION.ipv6} return`,
    "tcp dport @kept_ports return",
    `oifname "lo" meta skuid ${meshUid} goto arriving`,
    `oifname "lo" ip daddr != ${VIPS} return`,
    'oifname "lo" meta nfproto ipv6 return',
    ...groups.map(captured),
    `meta skuid ${meshUid} return`,
    ...users.map(captured),
  ];
}

function ownerMatch(service: CapturedService): string {
  const { owner } = service;
  if (owner === undefined) return "";
  return owner.kind === "uid"
    ? `meta skuid ${owner.uid}`
    : `socket cgroupv2 level ${depthOf(service)} @${groupSetName(service)}`;
}

function depthOf({ owner }: CapturedService): number {
  return owner?.kind === "cgroup" ? owner.path.split("/").length : 0;
}

/** nft takes 128 characters. */
function comment({ workload }: CapturedService): string {
  return `comment ${quoted(workload.slice(0, 120))}`;
}

/** Between quotes nft reads everything as it is, but for a quote; no name that a plan may have holds one. */
function quoted(text: string): string {
  if (/["\n\r\0]/.test(text)) throw new TypeError(`${JSON.stringify(text)} cannot be written for nft`);
  return `"${text}"`;
}

function indented(line: string): string {
  return `\t${line}`;
}

function sorted(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
