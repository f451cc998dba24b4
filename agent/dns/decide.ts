import { isIPv4, isIPv6 } from "node:net";
import type { Answer } from "dns-packet";
import type { HostName, NameTable } from "./name-table.ts";
import { type Query, RCODE } from "./query.ts";
import type { Content } from "./reply.ts";

/** What the mesh says to a question. */
export type Decision =
  | { readonly kind: "content"; readonly content: Content }
  /** It is not about the mesh. */
  | { readonly kind: "forward" }
  /** It is, and nothing is known of the mesh yet. */
  | { readonly kind: "unknown" };

export interface Names {
  /** Of the workloads of this host; a name is looked for in the first, then in the next. */
  readonly tables: readonly NameTable[];
  /** Domains that are the mesh's alone: `mesh`, `svc.cluster.local`. */
  readonly zones: readonly string[];
  /** The first search domain of this host, which a resolver appends before it asks for the bare name. */
  readonly searchDomain: string | undefined;
}

/** As in Istio: short, since addresses are kept for a host name's life, and names come and go. */
const TTL_S = 30;
/** A name that is not there may be there soon. */
const NEGATIVE_TTL_S = 5;

type Question = Pick<Query, "name" | "spelled" | "type" | "isInternet">;

/** Pure. */
export function decide(question: Question, names: Names): Decision {
  const { name, type, isInternet } = question;
  if (!isInternet || name === "") return { kind: "forward" };
  const zone = names.zones.find((zone) => name === zone || name.endsWith(`.${zone}`));
  const host = find(names, name);
  if (host !== undefined) return content(hostRecords(host, question.spelled, type), zone ?? host.hostname);
  const service = serviceOf(name);
  const named = service && find(names, service.host);
  if (named !== undefined && service !== undefined) {
    const records = type === "SRV" ? srvRecords(named, question.spelled, service.port) : NOTHING;
    return content(records, zone ?? named.hostname);
  }
  if (zone !== undefined) return inZone(question, zone, names);
  return searched(question, names) ?? { kind: "forward" };
}

interface Records {
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
}

const NOTHING: Records = { answers: [], additionals: [] };

function find({ tables }: Names, name: string): HostName | undefined {
  for (const table of tables) {
    const host = table.find(name);
    if (host !== undefined) return host;
  }
  return undefined;
}

function hostRecords(host: HostName, spelled: string, type: string): Records {
  switch (type) {
    case "A":
    case "AAAA":
      return { answers: addressRecords(host, spelled, type), additionals: [] };
    case "ANY":
      return {
        answers: [...addressRecords(host, spelled, "A"), ...addressRecords(host, spelled, "AAAA")],
        additionals: [],
      };
    case "SRV":
      return srvRecords(host, spelled, undefined);
    default:
      return NOTHING;
  }
}

function addressRecords({ addresses }: HostName, name: string, type: "A" | "AAAA"): readonly Answer[] {
  const isOfType = type === "A" ? isIPv4 : isIPv6;
  return addresses.filter(isOfType).map((data) => ({ name, type, ttl: TTL_S, data }));
}

/** `port` undefined: all, as Consul answers for a service's name. */
function srvRecords(host: HostName, name: string, port: string | undefined): Records {
  const { ports, aliases, hostname } = host;
  // A wildcard is no name that anybody can be sent to.
  const target = hostname.startsWith("*") ? (aliases[0] ?? name) : hostname;
  const meant = ports.filter((one) => port === undefined || speaksOf(one, port));
  const answers = meant.map(
    ({ number }): Answer => ({
      name,
      type: "SRV",
      ttl: TTL_S,
      data: { priority: 0, weight: 0, port: number, target },
    }),
  );
  const additionals =
    answers.length === 0
      ? []
      : [...addressRecords(host, target, "A"), ...addressRecords(host, target, "AAAA")];
  return { answers, additionals };
}

/** A port by its name, by the protocol that its name begins with (`http-9080`), or by its number. */
function speaksOf({ name, number }: HostName["ports"][number], wanted: string): boolean {
  return name === wanted || name.split("-", 1)[0] === wanted || String(number) === wanted;
}

interface NamedPort {
  readonly host: string;
  readonly port: string | undefined;
}

/** `_http._tcp.reviews.mesh` (RFC 2782), and Consul's `_reviews._tcp.service.consul`. */
function serviceOf(name: string): NamedPort | undefined {
  const [, service = "", proto = "", rest = ""] = /^_([^.]+)\._([^.]+)\.(.+)$/.exec(name) ?? [];
  if (rest === "") return undefined;
  if (rest === "service.consul") return { host: `${service}.service.consul`, port: undefined };
  // The mesh carries nothing that is not over TCP.
  return proto === "tcp" ? { host: rest, port: service } : undefined;
}

function inZone({ name, type, spelled }: Question, zone: string, { tables }: Names): Decision {
  if (tables.length === 0) return { kind: "unknown" };
  if (name === zone)
    return content(type === "SOA" ? { ...NOTHING, answers: [soa(zone, spelled)] } : NOTHING, zone);
  const rest = /^_[^.]+\.(.+)$/.exec(name)?.[1] ?? "";
  const exists = tables.some((table) => table.hasBelow(name) || table.find(rest) !== undefined);
  if (exists) return content(NOTHING, zone);
  return {
    kind: "content",
    content: { rcode: RCODE.nameError, ...NOTHING, authorities: [soa(zone, zone)] },
  };
}

/**
 * What a resolver asks for before it comes to the name itself: `reviews.default.example.com` on a host that searches
 * `example.com`. Answered at once, it does not go on searching (so does Istio).
 */
function searched(question: Question, names: Names): Decision | undefined {
  const { name, spelled, type } = question;
  const { searchDomain } = names;
  if (searchDomain === undefined || !name.endsWith(`.${searchDomain}`)) return undefined;
  const bare = name.slice(0, -searchDomain.length - 1);
  const host = find(names, bare);
  if (host === undefined || host.hostname.startsWith("*")) return undefined;
  const alias: Answer = { name: spelled, type: "CNAME", ttl: TTL_S, data: bare };
  const { answers, additionals } = hostRecords(host, bare, type);
  return content({ answers: [alias, ...answers], additionals }, host.hostname);
}

function content({ answers, additionals }: Records, zone: string): Decision {
  // A name that is there and has nothing of this type (RFC 2308 §2.2).
  const authorities = answers.length === 0 ? [soa(zone, zone)] : [];
  return { kind: "content", content: { rcode: RCODE.noError, answers, authorities, additionals } };
}

function soa(zone: string, name: string): Answer {
  return {
    name: name.replace(/^\*\./, ""),
    type: "SOA",
    ttl: NEGATIVE_TTL_S,
    data: {
      mname: `ns.${zone.replace(/^\*\./, "")}`,
      rname: `nobody.${zone.replace(/^\*\./, "")}`,
      serial: 1,
      refresh: 3600,
      retry: 600,
      expire: 86_400,
      minimum: NEGATIVE_TTL_S,
    },
  };
}
