import type { AgentAnswer, AgentServices, ConsulNode } from "./parse-agent.ts";

/** What the local agent said at one time, of each namespace that was asked for. */
export interface Registered {
  readonly node: ConsulNode;
  /** By namespace; empty: the token's own. */
  readonly answers: ReadonlyMap<string, AgentAnswer>;
}

/** Consul's own sidecars: what they say is part of what their services are. */
const SIDECAR = "connect-proxy";

/**
 * The registrations that services were made from, as texts to be kept: one that cannot be used after a restart is then as
 * it was before. `before`: what was kept until now, and stays of what is refused.
 */
export function textsOf(
  { answers }: Registered,
  { services, refused }: AgentServices,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const used = new Set(services.map(({ catalog }) => serviceIdOf(catalog?.instanceId ?? "")));
  const stays = new Set([...refused.keys()].map(serviceIdOf));
  const texts = new Map([...before].filter(([name]) => stays.has(name.slice(name.indexOf("/") + 1))));
  for (const [namespace, { services: entries }] of answers) {
    for (const [id, entry] of Object.entries(entries ?? {})) {
      const kind: unknown = (entry as { Kind?: unknown } | null)?.Kind;
      if (used.has(id) || kind === SIDECAR) texts.set(`${namespace}/${id}`, JSON.stringify(entry));
    }
  }
  return texts;
}

/** Of `dc1/node-1/reviews-v1`. */
function serviceIdOf(instanceId: string): string {
  return instanceId.split("/").slice(2).join("/");
}

/** What was kept, as if the agent had said it. */
export function answersOf(texts: ReadonlyMap<string, string>): ReadonlyMap<string, AgentAnswer> {
  const services = new Map<string, Record<string, unknown>>();
  for (const [name, text] of texts) {
    const slash = name.indexOf("/");
    const namespace = name.slice(0, slash);
    const entries = services.get(namespace) ?? {};
    services.set(namespace, { ...entries, [name.slice(slash + 1)]: parsed(text) });
  }
  return new Map([...services].map(([namespace, entries]) => [namespace, { services: entries, checks: {} }]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
