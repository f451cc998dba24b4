import { join } from "node:path";
import { consulClient } from "../mesh/consul/consul-client.ts";
import { MeshError, messageOf } from "../mesh/errors.ts";
import { parseTrustDomain, type TrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { type NomadClient, nomadClient } from "../mesh/nomad/nomad-client.ts";
import type { NomadSettings } from "../mesh/nomad/nomad-settings.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { AccessTokenStore } from "./admin/access/access-token-store.ts";
import { Placements } from "./agents/placements.ts";
import { AgentRecords } from "./attest/agent-records.ts";
import { JoinTokenStore } from "./attest/join-token-store.ts";
import { FileAuditLog } from "./audit/audit-log.ts";
import { assertPrivateFile, privateDirectory } from "./ca/private-files.ts";
import type { ServerConfig } from "./config.ts";
import { KeptKeySets } from "./jwks/kept-key-sets.ts";
import { CallStore } from "./observed/call-store.ts";
import { type AuthorityParts, openAuthority } from "./open-authority.ts";
import { ConsulRegistry } from "./registry/consul/consul-registry.ts";
import { consulScopes } from "./registry/consul/consul-scopes.ts";
import { EmbeddedRegistry } from "./registry/embedded/embedded-registry.ts";
import { NomadRegistry } from "./registry/nomad/nomad-registry.ts";
import type { Registry } from "./registry/registry.ts";
import type { ConfigStore } from "./store/config-store.ts";
import { openDatabase } from "./store/database.ts";
import { lockDirectory } from "./store/directory-lock.ts";
import { DirectorySource } from "./store/directory-source.ts";
import { SqliteConfigStore } from "./store/sqlite-config-store.ts";

/** Everything that a server remembers or reads the mesh from. */
export interface ServerState extends AsyncDisposable, AuthorityParts {
  readonly trustDomain: TrustDomain;
  readonly store: ConfigStore;
  readonly placements: Placements;
  readonly agents: AgentRecords;
  readonly tokens: JoinTokenStore;
  readonly accessTokens: AccessTokenStore;
  readonly audit: FileAuditLog;
  readonly keySets: KeptKeySets;
  readonly observed: CallStore;
  readonly embedded: EmbeddedRegistry;
  readonly registries: readonly Registry[];
  /** The watched directory of YAML, where one is configured. */
  readonly directory: DirectorySource | undefined;
}

/** Opens the state directory, which the first start makes. Throws `config.invalid` or `store.failed`. */
export async function openServerState(
  config: ServerConfig,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<ServerState> {
  await privateDirectory(config.stateDir);
  await using closing = new AsyncDisposableStack();
  closing.use(lockDirectory(config.stateDir));
  const trustDomain = parseTrustDomain(config.trustDomain);
  const databasePath = join(config.stateDir, "lateen.db");
  await assertPrivateFile(databasePath);
  const database = openDatabase(databasePath);
  closing.defer(() => database.close());
  const audit = closing.use(
    await FileAuditLog.open({
      directory: join(config.stateDir, "audit"),
      clock,
      logger: logger.child("audit"),
    }),
  );
  const agents = new AgentRecords(database, clock);
  const authority = await openAuthority({ config, trustDomain, database, agents, clock, logger, signal });
  closing.defer(() => authority.issued.flush());
  const store = new SqliteConfigStore({ database, clock, logger: logger.child("store") });
  const observed = closing.use(
    await CallStore.open(join(config.stateDir, "observed.db"), clock.now(), logger.child("observed")),
  );
  const embedded = new EmbeddedRegistry(database, clock.now());
  const registries: Registry[] = [embedded];
  if (config.consul !== undefined) {
    const seams = { clock, random: Math.random, logger: logger.child("consul") };
    for (const { name, client, reading } of consulScopes(config.consul))
      registries.push(
        new ConsulRegistry({ ...seams, name, reading, client: closing.use(consulClient(client)) }),
      );
  }
  if (config.nomad !== undefined) {
    const client = closing.use(await openNomad(config.nomad));
    const log = logger.child("nomad");
    const { namespace } = config.nomad;
    registries.push(new NomadRegistry({ client, namespace, clock, random: Math.random, logger: log }));
  }
  const open = closing.move();
  return {
    ...authority,
    trustDomain,
    store,
    placements: new Placements(database, clock),
    agents,
    tokens: new JoinTokenStore(database, clock),
    accessTokens: new AccessTokenStore(database, clock),
    audit,
    keySets: new KeptKeySets(database, config.jwks),
    observed,
    embedded,
    registries,
    directory: config.policyDir === undefined ? undefined : directorySource(config.policyDir),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };

  function directorySource(directory: string): DirectorySource {
    const log = logger.child("policy-dir");
    return new DirectorySource({
      directory,
      store,
      clock,
      logger: log,
      defaultNamespace: "default",
      rootNamespace: config.rootNamespace,
    });
  }
}

async function openNomad(settings: NomadSettings): Promise<NomadClient> {
  try {
    return await nomadClient(settings);
  } catch (cause) {
    throw new MeshError("config.invalid", `use nomad: ${messageOf(cause)}`, { cause });
  }
}
