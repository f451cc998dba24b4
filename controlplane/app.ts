import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { certificatePin } from "../mesh/identity/spki-pin.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { runTasks } from "../mesh/lifecycle/run-tasks.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { toRegistryReply } from "./admin/catalog-view.ts";
import { startHealthServer } from "./admin/health-server.ts";
import { createServerMetrics, type ServerMetrics } from "./admin/metrics.ts";
import { adminDeps } from "./admin-deps.ts";
import { advertisedAddresses } from "./advertised-addresses.ts";
import { agentFacingServices } from "./agent-services.ts";
import { AgentStreams } from "./agents/agent-streams.ts";
import { serveAgents } from "./agents/server.ts";
import { agentServerCredentials } from "./agents/server-credentials.ts";
import { openAttestors } from "./attest/attestors.ts";
import { ServerIdentity } from "./ca/server-identity.ts";
import { countBuffersWithHeap } from "./collector.ts";
import type { ServerConfig } from "./config.ts";
import { keyFetcher, keySetKeeper } from "./jwks/start.ts";
import { messageTypes } from "./message-types.ts";
import { CallHistory } from "./observed/call-history.ts";
import { serveAdmin } from "./serve-admin.ts";
import { openServerState, type ServerState } from "./server-state.ts";
import { reportTo, type ServerFigures, type ServiceManager } from "./service-manager.ts";
import { settlePublished } from "./settling.ts";
import { DEFAULT_SETTINGS } from "./snapshot/mesh-settings.ts";
import { Publisher } from "./snapshot/publisher.ts";
import { publishSources, type Sources } from "./snapshot/sources.ts";
import { tellBans } from "./tell-bans.ts";
import { createTranslator, type Translator } from "./translate/translator.ts";

const DRAIN_MS = 5_000;

export interface ServerDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told how the server is, where something has started it that asks. */
  readonly serviceManager?: ServiceManager;
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
  const { clock, logger } = deps;
  countBuffersWithHeap();
  await using closing = new AsyncDisposableStack();
  // What has been started already stops when a later part cannot start.
  const failed = new AbortController();
  const signal = AbortSignal.any([deps.signal, failed.signal]);
  await mkdir(config.runDir, { recursive: true, mode: 0o700 });
  const state = closing.use(await openServerState(config, { clock, logger, signal }));
  const { ca, trustDomain, placements, rotation } = state;
  const streams = new AgentStreams();
  const attestors = closing.use(await openAttestors(config.attest, { ...state, clock }));

  const translator = createTranslator({
    messageTypes,
    onAsked: (id, names) => publisher.setObserved(id, names),
  });
  const publisher = newPublisher(config, trustDomain, translator, deps);
  publisher.setLastBans(state.bans.last);
  const advertised = advertisedAddresses(config);
  const identity = await ServerIdentity.open({
    ca,
    dnsNames: advertised.hosts.filter((host) => isIP(host) === 0),
    ipAddresses: advertised.hosts.filter((host) => isIP(host) !== 0),
    clock,
    random: Math.random,
    log: logger.child("ca"),
  });
  const history = new CallHistory(clock, undefined, {
    store: state.observed,
    logger: logger.child("observed"),
  });
  const metrics = serverMetrics(state, publisher, () => ads.status.list().length);
  const { ads, list } = agentFacingServices({
    ...state,
    attestors: attestors.list,
    streams,
    translator,
    history,
    rootNamespace: config.rootNamespace,
    metrics,
    clock,
    logger,
    signal,
    serverName: hostname(),
  });
  const serving = await serveAgents({
    ...config.agents,
    credentials: agentServerCredentials(identity, ca, signal),
    services: list,
    signal,
    drainMs: DRAIN_MS,
  });
  closing.defer(async () => {
    failed.abort();
    await serving.stopped;
  });
  const sources = publishSources({ ...state, publisher, logger: logger.child("sources") });
  settlePublished({ store: state.store, publisher, translator, logger: logger.child("settling") }, signal);
  const fetcher = closing.use(await keyFetcher(config));
  const keys = keySetKeeper(config, { ...state, memory: state.keySets, fetcher, publisher, clock, logger });
  const addresses = (): readonly string[] => advertised.at(serving.port);
  const admin = adminDeps({
    ...state,
    streams,
    logger,
    signal,
    rootNamespace: config.rootNamespace,
    publisher,
    translator,
    ads,
    addresses,
    history,
    clock,
  });
  const servingAdmin = closing.use(
    await serveAdmin({ config, state, deps: admin, identity, names: advertised.hosts, clock, logger }),
  );
  closing.use(await serveHealth(config, sources, metrics));
  logger.info("server ready", {
    agents: `${config.agents.address}:${serving.port}`,
    admin: servingAdmin.socketPath,
    trustDomain,
    caPin: certificatePin(new X509Certificate(ca.bundle.roots[0] ?? "")),
  });
  const figures = (): ServerFigures => ({
    services: publisher.current.hosts.length,
    workloads: publisher.current.workloads.size,
    proxies: ads.status.list().length,
  });
  deps.onReady?.({ agentPort: serving.port, adminSocket: servingAdmin.socketPath });

  await runTasks(
    signal,
    (stop) => sources.run(stop),
    (stop) => placements.run(stop),
    (stop) => history.run(stop),
    (stop) => identity.run(stop),
    (stop) => rotation.run(stop),
    (stop) => tellBans({ ...state, publisher, clock }, stop),
    (stop) => ads.run(stop),
    (stop) => servingAdmin.run(stop),
    (stop) => keys.run(stop),
    async (stop) => {
      if (deps.serviceManager !== undefined) await reportTo(deps.serviceManager, figures, clock, stop);
    },
    () => serving.stopped,
  );
  logger.info("server stopped");
}

function newPublisher(
  config: ServerConfig,
  trustDomain: string,
  translator: Translator,
  { clock, logger }: ServerDeps,
): Publisher {
  const { domainSuffix, rootNamespace } = config;
  return new Publisher({
    settings: { ...DEFAULT_SETTINGS, trustDomain, domainSuffix, rootNamespace },
    publish: (snapshot, changed) => translator.publish(snapshot, changed),
    logger: logger.child("publisher"),
    clock,
    ...config.debounce,
  });
}

function serverMetrics(
  { store, registries, ca, audit }: ServerState,
  publisher: Publisher,
  connections: () => number,
): ServerMetrics {
  return createServerMetrics(
    {
      version: VERSION,
      connections,
      services: () => publisher.current.hosts.length,
      workloads: () => publisher.current.workloads.size,
      objects: () => {
        const byKind = Map.groupBy(store.list(), ({ kind }) => kind);
        return Object.fromEntries([...byKind].map(([kind, objects]) => [kind, objects.length]));
      },
      registries: () => registries.map(toRegistryReply),
      auditLost: () => audit.lost,
      rootExpiry: () =>
        Math.min(...ca.bundle.roots.map((root) => Date.parse(new X509Certificate(root).validTo))),
    },
    { istioAliases: true, processMetrics: true },
  );
}

function serveHealth(
  { health: { address, port } }: ServerConfig,
  sources: Sources,
  metrics: ServerMetrics,
): Promise<AsyncDisposable> {
  return startHealthServer(
    { unready: () => sources.unready(), metrics: () => metrics.text() },
    { host: address, port },
  );
}
