import { z } from "zod";
import type { ConsulClient } from "../../../mesh/consul/consul-client.ts";
import { MeshError } from "../../../mesh/errors.ts";
import type { Action } from "./access-terms.ts";
import { TRANSLATED_KINDS, UNTRANSLATED_KINDS } from "./config-entries.ts";

const TIMEOUT_MS = 10_000;

/** Namespace that Consul's community edition writes into intentions before 1.9, which has none. */
const NO_NAMESPACE = "default";

const list = z.array(z.unknown());

const oldIntention = z.object({
  SourceNS: z.string().default(""),
  SourceName: z.string(),
  DestinationNS: z.string().default(""),
  DestinationName: z.string(),
  Action: z.string(),
});

const self = z.object({
  DebugConfig: z.object({
    ACLsEnabled: z.boolean(),
    ACLDefaultPolicy: z.string().default(""),
    DefaultIntentionPolicy: z.string().default(""),
    ACLResolverSettings: z.object({ ACLDefaultPolicy: z.string().default("") }).optional(),
  }),
});

/**
 * Every config entry that the token may read; intentions also as they were before Consul 1.9. Only GETs. Throws
 * `registry.unavailable`.
 */
export async function askEntries(client: ConsulClient, signal: AbortSignal): Promise<readonly unknown[]> {
  const entries: unknown[] = [];
  for (const kind of [...TRANSLATED_KINDS, ...UNTRANSLATED_KINDS]) {
    const found = await askKind(client, kind, signal);
    entries.push(...(found ?? (kind === "service-intentions" ? await askOldIntentions(client, signal) : [])));
  }
  return entries;
}

/** What Consul does with a call that no intention is about, as its agent tells. Throws `registry.unavailable`. */
export async function askDefaultPolicy(client: ConsulClient, signal: AbortSignal): Promise<Action> {
  const { DebugConfig: config } = read(self, await ask(client, "/agent/self", signal));
  const acl = config.ACLsEnabled
    ? (config.ACLResolverSettings?.ACLDefaultPolicy ?? config.ACLDefaultPolicy)
    : "allow";
  return (config.DefaultIntentionPolicy || acl) === "deny" ? "deny" : "allow";
}

/** Undefined when this Consul has no such kind. */
async function askKind(
  client: ConsulClient,
  kind: string,
  signal: AbortSignal,
): Promise<readonly unknown[] | undefined> {
  try {
    return read(list, await ask(client, `/config/${kind}`, signal));
  } catch (error) {
    if (error instanceof MeshError && /invalid config entry kind/i.test(error.message)) return undefined;
    throw error;
  }
}

async function askOldIntentions(client: ConsulClient, signal: AbortSignal): Promise<readonly unknown[]> {
  const intentions = read(z.array(oldIntention), (await ask(client, "/connect/intentions", signal)) ?? []);
  const byDestination = Map.groupBy(intentions, ({ DestinationNS, DestinationName }) =>
    JSON.stringify([DestinationNS, DestinationName]),
  );
  return [...byDestination.values()].map((of) => ({
    Kind: "service-intentions",
    Name: of[0]?.DestinationName,
    ...namespace(of[0]?.DestinationNS),
    Sources: of.map(({ SourceNS, SourceName, Action }) => ({
      Name: SourceName,
      ...namespace(SourceNS),
      Action,
    })),
  }));
}

function namespace(written: string | undefined): Readonly<Record<string, string>> {
  return written === undefined || written === "" || written === NO_NAMESPACE ? {} : { Namespace: written };
}

async function ask(client: ConsulClient, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    return (await client.get({ path, timeoutMs: TIMEOUT_MS }, signal)).body;
  } catch (error) {
    if (!(error instanceof MeshError) || !/: 40[13]\b/.test(error.message)) throw error;
    throw new MeshError(error.code, error.message, {
      hint: "give --token-file a file with a token that may read services, intentions, operator and agent",
      cause: error.cause,
    });
  }
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new MeshError(
    "registry.unavailable",
    `read what consul answered: ${parsed.error.issues[0]?.path.join(".") ?? ""}: ${parsed.error.issues[0]?.message ?? ""}`,
    {
      hint: "is the address that of Consul's HTTP API? --default-policy spares the question of its policy",
    },
  );
}
