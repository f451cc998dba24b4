import { closest } from "../spelling/closest.ts";
import { type CaptureOwner, OWNER_FORM, parseCaptureOwner } from "./capture-owner.ts";
import type { Protocol } from "./service.ts";
import type { Violation } from "./violation.ts";
import { isPort, parseHostPort, parseUpstreams, type UpstreamHint } from "./vocabulary-upstreams.ts";
import type { SocketAddress, Workload } from "./workload.ts";

/**
 * What a catalog's tags (`lateen.port=9080`) and metadata (`lateen-port: "9080"`) say of a service. Undefined: not
 * said, or said wrongly, and then there is a problem that tells.
 */
export interface ServiceHints {
  /** Part of the mesh; where nothing is said, as `Vocabulary.optOut` has it. */
  readonly inject: boolean;
  /** The port that callers name. */
  readonly port: number | undefined;
  readonly protocol: Protocol | undefined;
  readonly version: string | undefined;
  /** `app` is the service's name and `version` its version, unless labels of these names are given. */
  readonly labels: Readonly<Record<string, string>>;
  /** Whether the label `app` was given. */
  readonly saysApp: boolean;
  readonly serviceAccount: string | undefined;
  readonly namespace: string | undefined;
  readonly upstreams: readonly UpstreamHint[];
  readonly weight: number | undefined;
  /** `region/zone/subzone`. */
  readonly locality: string | undefined;
  /** Where the application listens, where that is not for the agent to work out. */
  readonly app: SocketAddress | undefined;
  /** The network of its addresses. */
  readonly network: string | undefined;
  readonly discovery: Workload["discovery"] | undefined;
  readonly interception: HostInterception | undefined;
  /** Whose connections are captured as its own. */
  readonly owner: CaptureOwner | undefined;
  /** The WorkloadGroup of its namespace that it is made from. */
  readonly group: string | undefined;
  /** Its proxy listens at the addresses of other services, which DNS tells. */
  readonly vips: boolean;
  /** Where its HTTP forward proxy listens; an address that is not said is the agent's to choose. */
  readonly httpProxy: { readonly address: string | undefined; readonly port: number } | undefined;
  /** Whether callers without a certificate are let in, where no PeerAuthentication of the workload's says. */
  readonly mtls: Workload["mtls"];
}

/** How this mesh spells its words. */
export interface Vocabulary {
  /** `lateen`: tags begin with `lateen.`, metadata with `lateen-`. */
  readonly prefix: string;
  /** Whether a service that says nothing is part of the mesh. */
  readonly optOut: boolean;
}

export const VOCABULARY: Vocabulary = { prefix: "lateen", optOut: false };

export interface ParsedHints {
  readonly hints: ServiceHints;
  /** Errors are values that cannot be used; warnings are keys that mean nothing. `path` is `tag lateen.prot`. */
  readonly problems: readonly Violation[];
  /** Whether what is said of being part of the mesh cannot be meant: then it is as it was. */
  readonly unclear: boolean;
}

const KEYS = [
  "inject",
  "port",
  "protocol",
  "version",
  "sa",
  "namespace",
  "upstreams",
  "weight",
  "locality",
  "app",
  "network",
  "discovery",
  "interception",
  "owner",
  "http-proxy",
  "vips",
  "group",
  "mtls",
] as const;
type Key = (typeof KEYS)[number];

/** Words of the vocabulary that nothing reads yet, with what to do meanwhile. */
const LATER: ReadonlyMap<string, string> = new Map([
  ["metrics", "is not read yet: applications' metrics are not merged, have them scraped where they are"],
]);

const PROTOCOLS: readonly Protocol[] = ["http", "http2", "grpc", "tcp", "tls"];

/** What a host can say of the connections of a workload; `redirect`: something on the host sends them to its proxy. */
export const INTERCEPTIONS: readonly ["none", "redirect"] = ["none", "redirect"];
type HostInterception = (typeof INTERCEPTIONS)[number];

export const DISCOVERIES: readonly ["upstreams", "mesh", "on-demand"] = ["upstreams", "mesh", "on-demand"];

export const MTLS_DEFAULTS: readonly ["strict", "permissive"] = ["strict", "permissive"];

/**
 * Reads the hints of a service's tags and metadata; other tags and metadata are nobody's business. Where both say
 * something, the metadata wins, with a warning unless they say the same. Metadata `version` stands in for a missing
 * `lateen-version`.
 */
export function parseServiceHints(
  service: string,
  tags: readonly string[],
  meta: Readonly<Record<string, string>>,
  vocabulary: Vocabulary = VOCABULARY,
): ParsedHints {
  const found = collect(tags, meta, vocabulary.prefix);
  const problems = [...found.problems];
  const read = <T>(key: Key, parse: (text: string) => T | Refusal): T | undefined => {
    const written = found.values.get(key);
    if (written === undefined) return undefined;
    const value = parse(written.text);
    if (!(value instanceof Refusal)) return value;
    problems.push({ path: written.path, message: value.reason, severity: "error" });
    return undefined;
  };
  const version = read("version", labelValue) ?? plainVersion(meta);
  const hints: ServiceHints = {
    inject: read("inject", flag) ?? vocabulary.optOut,
    port: read("port", port),
    protocol: read("protocol", protocol),
    version,
    labels: { app: service, ...(version === undefined ? {} : { version }), ...found.labels },
    saysApp: Object.hasOwn(found.labels, "app"),
    serviceAccount: read("sa", dnsLabel),
    namespace: read("namespace", dnsLabel),
    upstreams: read("upstreams", upstreams) ?? [],
    weight: read("weight", weight),
    locality: read("locality", locality),
    app: read("app", app),
    network: read("network", labelValue),
    discovery: read("discovery", oneOf(DISCOVERIES)),
    interception: read("interception", oneOf(INTERCEPTIONS)),
    owner: read("owner", owner),
    httpProxy: read("http-proxy", httpProxy),
    vips: read("vips", flag) ?? false,
    group: read("group", objectName),
    mtls: read("mtls", oneOf(MTLS_DEFAULTS)),
  };
  const injects = injectPaths(vocabulary.prefix);
  const unclear = problems.some(({ path, severity }) => severity === "error" && injects.includes(path));
  return { hints, problems, unclear };
}

interface Written {
  readonly text: string;
  readonly path: string;
}

interface Collected {
  readonly values: ReadonlyMap<string, Written>;
  readonly labels: Readonly<Record<string, string>>;
  readonly problems: readonly Violation[];
}

/** Sorts what is written into known keys, labels and mistakes. Metadata comes last, so that it wins. */
function collect(tags: readonly string[], meta: Readonly<Record<string, string>>, prefix: string): Collected {
  const values = new Map<string, Written>();
  const labels = new Map<string, Written>();
  const problems: Violation[] = [];
  const put = (into: Map<string, Written>, key: string, written: Written): void => {
    const before = into.get(key);
    if (before !== undefined && before.text !== written.text) {
      const message = `says ${written.text} where ${before.path} says ${before.text}: the metadata counts`;
      problems.push({ path: written.path, message, severity: "warning" });
    }
    into.set(key, written);
  };
  const add = (key: string, separator: string, written: Written): void => {
    if (key.startsWith(`label${separator}`)) {
      const name = key.slice(6);
      const wrong = labelProblem(name, written.text);
      if (wrong === undefined) put(labels, name, written);
      else problems.push({ path: written.path, message: wrong, severity: "error" });
    } else if (isKey(key)) {
      put(values, key, written);
    } else {
      problems.push({ path: written.path, message: unknownKey(key), severity: "warning" });
    }
  };
  const seen = new Map<string, string>();
  for (const tag of tags) {
    if (!tag.startsWith(`${prefix}.`)) continue;
    const [name, text] = splitOnce(tag, "=");
    const path = `tag ${name}`;
    const first = seen.get(name);
    if (text === undefined) {
      problems.push({ path, message: `has no value: write ${name}=…`, severity: "error" });
    } else if (first !== undefined && first !== text) {
      problems.push({ path, message: `is given as both ${first} and ${text}`, severity: "error" });
    } else if (first === undefined) {
      seen.set(name, text);
      add(name.slice(prefix.length + 1), ".", { text: text.trim(), path });
    }
  }
  for (const [name, text] of Object.entries(meta)) {
    if (!name.startsWith(`${prefix}-`)) continue;
    add(name.slice(prefix.length + 1), "-", { text: text.trim(), path: `meta ${name}` });
  }
  return {
    values,
    labels: Object.fromEntries([...labels].map(([name, { text }]) => [name, text])),
    problems,
  };
}

function injectPaths(prefix: string): readonly string[] {
  return [`tag ${prefix}.inject`, `meta ${prefix}-inject`];
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function isKey(key: string): key is Key {
  return (KEYS as readonly string[]).includes(key);
}

function unknownKey(key: string): string {
  const later = LATER.get(key);
  if (later !== undefined) return later;
  const near = closest(key, [...KEYS, "label"]);
  return `is no word of Lateen's${near === undefined ? "" : `, did you mean ${near}?`}`;
}

/** Why a value cannot be used. */
class Refusal {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

function flag(text: string): boolean | Refusal {
  return text === "true" ? true : text === "false" ? false : new Refusal("must be true or false");
}

function port(text: string): number | Refusal {
  return isPort(text) ? Number(text) : new Refusal(`must be a port from 1 to 65535, not “${text}”`);
}

function protocol(text: string): Protocol | Refusal {
  const known = PROTOCOLS.find((candidate) => candidate === text);
  if (known !== undefined) return known;
  const near = closest(text, PROTOCOLS);
  const guess = near === undefined ? "" : `, did you mean ${near}?`;
  return new Refusal(`must be one of ${PROTOCOLS.join(", ")}, not “${text}”${guess}`);
}

/** RFC 1123: what a namespace and a service account are in Kubernetes, and so in a SPIFFE ID of Istio's form. */
function dnsLabel(text: string): string | Refusal {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)
    ? text
    : new Refusal(`must be up to 63 of a-z, 0-9 and -, not “${text}”`);
}

function objectName(text: string): string | Refusal {
  return isObjectName(text) ? text : new Refusal(`must be the name of a WorkloadGroup, not “${text}”`);
}

/** RFC 1123: what an object's name is in Kubernetes. */
export function isObjectName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);
}

function labelValue(text: string): string | Refusal {
  return isLabelValue(text) ? text : new Refusal(`must be a label's value: ${LABEL_VALUE_RULE}`);
}

const LABEL_VALUE_RULE =
  "up to 63 letters, digits, “-”, “_” and “.”, beginning and ending with a letter or digit";

/** Kubernetes' rule for the value of a label, which names of networks follow too. */
export function isLabelValue(text: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text);
}

/** What is wrong with a label, by Kubernetes' rules; undefined when nothing is. */
export function labelProblem(name: string, value: string): string | undefined {
  if (
    !/^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name)
  ) {
    return `“${name}” is no label name: ${LABEL_VALUE_RULE}`;
  }
  return value === "" || isLabelValue(value) ? undefined : `a label's value is ${LABEL_VALUE_RULE}`;
}

/** A service that knows nothing of Lateen may write any version: one that cannot be a label is not a mistake. */
function plainVersion(meta: Readonly<Record<string, string>>): string | undefined {
  const version = meta["version"];
  return version !== undefined && isLabelValue(version) ? version : undefined;
}

function upstreams(text: string): readonly UpstreamHint[] | Refusal {
  const parsed = parseUpstreams(text);
  return typeof parsed === "string" ? new Refusal(parsed) : parsed;
}

function weight(text: string): number | Refusal {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
    ? Number(text)
    : new Refusal(`must be a whole number from 1 to 65535, not “${text}”`);
}

function locality(text: string): string | Refusal {
  return isLocality(text) ? text : new Refusal(`must be region/zone/subzone, not “${text}”`);
}

/** `region`, `region/zone` or `region/zone/subzone`; empty parts are allowed. */
export function isLocality(text: string): boolean {
  return /^[^/\s]*(\/[^/\s]*){0,2}$/.test(text);
}

function app(text: string): SocketAddress | Refusal {
  return parseHostPort(text) ?? new Refusal(`must be address:port, not “${text}”`);
}

function owner(text: string): CaptureOwner | Refusal {
  return parseCaptureOwner(text) ?? new Refusal(`${OWNER_FORM}, not “${text}”`);
}

function oneOf<T extends string>(words: readonly T[]): (text: string) => T | Refusal {
  return (text) =>
    words.find((word) => word === text) ?? new Refusal(`must be one of ${words.join(", ")}, not “${text}”`);
}

function httpProxy(text: string): NonNullable<ServiceHints["httpProxy"]> | Refusal {
  return parseHttpProxy(text) ?? new Refusal(`must be a port or address:port, not “${text}”`);
}

/** `15080` or `127.0.0.1:15080`. */
export function parseHttpProxy(text: string): ServiceHints["httpProxy"] {
  return isPort(text) ? { address: undefined, port: Number(text) } : parseHostPort(text);
}
