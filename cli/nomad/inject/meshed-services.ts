import { errorAt, type Finding, warningAt } from "../../../mesh/model/finding.ts";
import type { ServiceHints } from "../../../mesh/model/vocabulary.ts";
import type { UpstreamHint } from "../../../mesh/model/vocabulary-upstreams.ts";
import type { NetworkPort, NomadJob, NomadService, TaskGroup } from "../job/job.ts";
import { PORT_PREFIX } from "./marks.ts";
import { networkMode } from "./sidecar-driver.ts";
import { readWords, type Words, wordArguments, wordsOf } from "./words.ts";

/** What the agent of an allocation is told of it. */
export interface MeshedGroup {
  /** Values of `--service`, or one of `--client`. */
  readonly workloads: readonly { readonly flag: "--service" | "--client"; readonly value: string }[];
  /** Of its workloads, where it is said. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  /** The provider of its services: `nomad`, `consul`, or undefined without one. */
  readonly provider: string | undefined;
  /** Labels of ports before which there shall be one for the proxy. */
  readonly proxied: readonly string[];
  /** What it calls, and where its tasks reach it: `127.0.0.1:9080`. */
  readonly upstreams: readonly { readonly host: string; readonly address: string }[];
}

/** Of a group's own words, those that one workload alone can have. */
const OF_ONE: readonly string[] = ["upstreams", "http-proxy", "port", "app"];
/** Words about the identity, which an allocation has one of. */
const OF_IDENTITY: readonly string[] = ["sa", "namespace"];

/** Puts the services of a group in the agent's words; what contradicts itself is added to `problems`. */
export function meshedGroup(
  job: NomadJob,
  group: TaskGroup,
  services: readonly NomadService[],
  problems: Finding[],
): MeshedGroup {
  const own = wordsOf([], { ...job.meta, ...group.meta });
  const members = services.map((service, index) => {
    const above = new Map([...own].filter(([key]) => index === 0 || !OF_ONE.includes(key)));
    const words: Words = new Map([...above, ...wordsOf(service.tags, service.meta)]);
    tellCanaries(service, problems);
    return { service, words, hints: readWords(service.name, words, service.path, problems) };
  });
  const client = services.length > 0 ? [] : [readWords(group.name, own, [...group.path, "Meta"], problems)];
  const hints = [...members.map((member) => member.hints), ...client];
  return {
    workloads:
      services.length === 0
        ? [{ flag: "--client", value: joined([workloadName(group.name), ...spoken(own)]) }]
        : members.map(({ service, words }) => ({
            flag: "--service",
            value: joined([`${service.name}=${service.port}`, ...placeOf(group, service), ...spoken(words)]),
          })),
    namespace: oneOf("namespace", hints, group, problems),
    serviceAccount: oneOf("serviceAccount", hints, group, problems),
    provider: providerOf(services, problems),
    proxied: services.flatMap((service) => proxiedPort(group, service, problems)),
    upstreams: hints.flatMap((hint) => hint.upstreams.flatMap(reachedAt)),
  };
}

/** An upstream whose port is the agent's choice is in `lateen status` of the sidecar. */
function reachedAt({
  host,
  port,
  bindAddress = "127.0.0.1",
  bindPort = port,
}: UpstreamHint): MeshedGroup["upstreams"] {
  const address = bindAddress.includes(":") ? `[${bindAddress}]` : bindAddress;
  return bindPort === 0 ? [] : [{ host, address: `${address}:${bindPort}` }];
}

function joined(parts: readonly string[]): string {
  return parts.join(" ");
}

function spoken(words: Words): readonly string[] {
  return wordArguments(new Map([...words].filter(([key]) => !OF_IDENTITY.includes(key))));
}

/** A name of Nomad's as a workload's (RFC 1123). */
function workloadName(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9-]+/g, "-");
  return plain.slice(0, 63).replaceAll(/^-+|-+$/g, "") || "app";
}

function placeOf(group: TaskGroup, service: NomadService): readonly string[] {
  const task = group.tasks.find(({ path }) => path.every((part, index) => service.path[index] === part));
  return task === undefined ? [] : [`task=${task.name}`];
}

function tellCanaries({ path, tags, meta, canaryTags, canaryMeta }: NomadService, problems: Finding[]): void {
  const usual = wordsOf(tags, meta);
  for (const [key, text] of wordsOf(canaryTags, canaryMeta)) {
    if (usual.get(key) === text) continue;
    problems.push(
      warningAt(
        path,
        `the canary's ${key} ${text} is not seen: a sidecar goes by tags, which it has of its version`,
      ),
    );
  }
}

function oneOf(
  key: "namespace" | "serviceAccount",
  hints: readonly ServiceHints[],
  group: TaskGroup,
  problems: Finding[],
): string | undefined {
  const [said, ...more] = new Set(hints.flatMap((hint) => hint[key] ?? []));
  if (more.length > 0) {
    const word = key === "namespace" ? "lateen.namespace" : "lateen.sa";
    const all = [said, ...more].join(" and ");
    problems.push(errorAt(group.path, `its services say ${word} ${all}: an allocation has one identity`));
  }
  return said;
}

function providerOf(services: readonly NomadService[], problems: Finding[]): string | undefined {
  const [first] = services;
  const other = services.find(({ provider }) => provider !== first?.provider);
  if (first !== undefined && other !== undefined) {
    problems.push(
      errorAt(
        other.path,
        `is registered in ${other.provider}, and ${first.name} in ${first.provider}: use one`,
      ),
    );
  }
  return first?.provider;
}

function proxiedPort(group: TaskGroup, service: NomadService, problems: Finding[]): readonly string[] {
  const mode = networkMode(group);
  if (/^\d+$/.test(service.port)) {
    if (mode !== "host")
      problems.push(
        errorAt(service.path, `has the port ${service.port}: give it a label in the network block`),
      );
    return [];
  }
  const known = group.networks.flatMap(({ ports }) => ports);
  const written = known.find(({ label }) => label === proxyPortOf(service.port));
  if (mode !== "host" && written !== undefined && written.to > 0 && written.to !== written.value) {
    const message = `is the proxy's, and must be the same number inside and outside (to = -1), not ${written.to}`;
    problems.push(errorAt(service.path, `the port ${written.label} ${message}`));
  }
  if (known.some(({ label }) => label === service.port)) return [service.port];
  problems.push(errorAt(service.path, `no port of the group's network is labelled ${service.port}`));
  return [];
}

/** The label of the port at which the proxy of a port takes its calls. */
export function proxyPortOf(label: NetworkPort["label"]): string {
  return `${PORT_PREFIX}${label}`;
}
