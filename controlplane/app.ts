import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { consulClient } from "../mesh/consul/consul-client.ts";
import { parseTrustDomain } from "../mesh/identity/trust-domain.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { runTasks, type Task } from "../mesh/lifecycle/run-tasks.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { createAdmin } from "./admin/admin.ts";
import { loadOrCreateAdminToken } from "./admin/admin-token.ts";
import { startHealthServer } from "./admin/health-server.ts";
import { createServerMetrics } from "./admin/metrics.ts";
import { adminDeps } from "./admin-deps.ts";
import { advertisedAddresses } from "./advertised-addresses.ts";
import { agentFacingServices } from "./agent-services.ts";
import { Placements } from "./agents/placements.ts";
import { serveAgents } from "./agents/server.ts";
import { agentServerCredentials } from "./agents/server-credentials.ts";
import { AgentRecords } from "./attest/agent-records.ts";
import { JoinTokenStore } from "./attest/join-token-store.ts";
import { openSelfSignedAuthority } from "./ca/self-signed-authority.ts";
import { ServerIdentity } from "./ca/server-identity.ts";
import type { ServerConfig } from "./config.ts";
import { ConsulRegistry } from "./registry/consul/consul-registry.ts";
import { EmbeddedRegistry } from "./registry/embedded/embedded-registry.ts";
import type { Registry } from "./registry/registry.ts";
import { DEFAULT_SETTINGS } from "./snapshot/mesh-snapshot.ts";
import { Publisher } from "./snapshot/publisher.ts";
import { publishSources } from "./snapshot/sources.ts";
import { openDatabase } from "./store/database.ts";
import { DirectorySource } from "./store/directory-source.ts";
import { SqliteConfigStore } from "./store/sqlite-config-store.ts";
import { createTranslator } from "./translate/translator.ts";

const DRAIN_MS = 5_000;

export interface ServerDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told once everything listens. */
  readonly onReady?: (server: RunningServer) => void;
}

/** Where a running server listens. */
interface RunningServer {
  readonly agentPort: number;
  readonly adminSocket: string;
}

/** `lateen server`: runs until the signal is aborted. Throws `config.invalid` for what cannot be started. */
export async function runServer(config: ServerConfig, deps: ServerDeps): Promise<void> {
  const { clock, signal, logger } = deps;
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  await mkdir(config.runDir, { recursive: true, mode: 0o700 });
  const trustDomain = parseTrustDomain(config.trustDomain);
  const ca = await openSelfSignedAuthority({
    directory: join(config.stateDir, "ca"),
    trustDomain,
    clock,
    lifetimes: {
      workloadMs: config.leafTtlSeconds * 1000,
      minMs: Math.min(300, config.leafTtlSeconds) * 1000,
    },
  });
  await using closing = new AsyncDisposableStack();
  const database = openDatabase(join(config.stateDir, "lateen.db"));
  closing.defer(() => database.close());

  const store = new SqliteConfigStore({ database, clock, logger: logger.child("store") });
  const placements = new Placements(database, clock);
  const agents = new AgentRecords(database, clock);
  const tokens = new JoinTokenStore(database, clock);
  const embedded = new EmbeddedRegistry(database, clock.now());
  const registries: Registry[] = [embedded];
  if (config.consul !== undefined) {
    const client = closing.use(consulClient(config.consul));
    registries.push(
      new ConsulRegistry({ client, clock, random: Math.random, logger: logger.child("consul") }),
    );
  }
  const directory =
    config.policyDir === undefined
      ? undefined
      : new DirectorySource({
          directory: config.policyDir,
          store,
          clock,
          logger: logger.child("policy-dir"),
          defaultNamespace: "default",
        });

  const translator = createTranslator();
  const publisher = new Publisher({
    settings: {
      ...DEFAULT_SETTINGS,
      trustDomain,
      domainSuffix: config.domainSuffix,
      rootNamespace: config.rootNamespace,
    },
    publish: (snapshot, changed) => translator.publish(snapshot, changed),
    logger: logger.child("publisher"),
    clock,
    ...config.debounce,
  });

  const advertised = advertisedAddresses(config);
  const identity = await ServerIdentity.open({
    ca,
    dnsNames: advertised.hosts.filter((host) => isIP(host) === 0),
    ipAddresses: advertised.hosts.filter((host) => isIP(host) !== 0),
    clock,
    random: Math.random,
    log: logger.child("ca"),
  });
  const metrics = createServerMetrics(
    {
      version: VERSION,
      connections: () => services.ads.status.list().length,
      services: () => publisher.current.services.size,
      workloads: () => publisher.current.workloads.size,
      objects: () =>
        Object.fromEntries(
          Map.groupBy(store.list(), ({ kind }) => kind)
            .entries()
            .map(([kind, all]) => [kind, all.length]),
        ),
      registries: () => admin.registries(),
      rootExpiry: () =>
        Math.min(...ca.bundle.roots.map((root) => Date.parse(new X509Certificate(root).validTo))),
    },
    { istioAliases: true, processMetrics: true },
  );
  const services = agentFacingServices({
    ca,
    tokens,
    agents,
    placements,
    translator,
    metrics,
    trustDomain,
    clock,
    logger,
    signal,
    serverName: hostname(),
  });
  const serving = await serveAgents({
    ...config.agents,
    credentials: agentServerCredentials(identity, ca, signal),
    services: services.list,
    signal,
    drainMs: DRAIN_MS,
  });
  const admin = adminDeps({
    store,
    publisher,
    translator,
    embedded,
    registries,
    tokens,
    placements,
    agents,
    ca,
    trustDomain,
    ads: services.ads,
    addresses: () => advertised.at(serving.port),
  });
  const adminSocket = join(config.runDir, "admin.sock");
  const rest = closing.use(
    createAdmin(admin, {
      token: loadOrCreateAdminToken(join(config.stateDir, "admin.token")),
      logger: logger.child("admin"),
    }),
  );
  await rest.listenUnix(adminSocket);
  await rest.listenTcp(config.admin.address, config.admin.port);
  const sources = publishSources({
    registries,
    placements,
    store,
    directory,
    publisher,
    logger: logger.child("sources"),
  });
  closing.use(
    await startHealthServer(
      { unready: () => sources.unready(), metrics: () => metrics.text() },
      { host: config.health.address, port: config.health.port },
    ),
  );
  logger.info("server ready", {
    agents: `${config.agents.address}:${serving.port}`,
    admin: adminSocket,
    trustDomain,
  });
  deps.onReady?.({ agentPort: serving.port, adminSocket });

  const tasks: Task[] = [
    (stop) => sources.run(stop),
    (stop) => placements.run(stop),
    (stop) => identity.run(stop),
    (stop) => services.ads.run(stop),
    () => serving.stopped,
  ];
  await runTasks(signal, ...tasks);
  logger.info("server stopped");
}
