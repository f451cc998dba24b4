import { join, resolve } from "node:path";
import type { AgentStatus } from "../mesh/admin-api/agent-status.ts";
import type { AskedCaptures } from "../mesh/admin-api/asked-capture.ts";
import type { X509Svid } from "../mesh/identity/x509-svid.ts";
import type { Clock } from "../mesh/lifecycle/clock.ts";
import { runTasks } from "../mesh/lifecycle/run-tasks.ts";
import { workloadId } from "../mesh/model/workload.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import { VERSION } from "../mesh/version.ts";
import { openDeltaStream } from "../mesh/xds/ads-service.ts";
import { accessLogHandlers } from "./calls/access-log-server.ts";
import { CallReporter } from "./calls/call-reporter.ts";
import { ObservedCalls } from "./calls/observed-calls.ts";
import { PolicyDecisions } from "./calls/policy-decisions.ts";
import { askedCaptures } from "./capture/asked-captures.ts";
import type { AgentConfig } from "./config.ts";
import { builtinDataPlane } from "./dataplane/builtin/builtin-data-plane.ts";
import { childEnvironment } from "./dataplane/child-environment.ts";
import type { DataPlane } from "./dataplane/data-plane.ts";
import { envoyDataPlane } from "./dataplane/envoy/envoy-data-plane.ts";
import { chooseDiscovery } from "./discovery/choose-discovery.ts";
import { callersAmong, hostDns } from "./dns/host-dns.ts";
import { addressTowards } from "./host/address-towards.ts";
import { collectStatus } from "./host/collect-status.ts";
import { serviceNotifier } from "./host/notify.ts";
import { reportStatus } from "./host/report-status.ts";
import { runStatusServer } from "./host/status.ts";
import { chooseVips } from "./host/vip-route.ts";
import { hostFacts } from "./host-check/host-facts.ts";
import { HostWatch } from "./host-check/host-watch.ts";
import type { CertificateFacts } from "./host-check/server-findings.ts";
import { AgentIdentity } from "./identity/agent-identity.ts";
import { BundleAcknowledgement } from "./identity/bundle-acknowledgement.ts";
import { issueFrom } from "./identity/certificates.ts";
import { ServerChannel } from "./identity/channel.ts";
import { comeBackThrough } from "./identity/come-back.ts";
import { proofOf } from "./identity/invitation.ts";
import { joinedState } from "./identity/joined-state.ts";
import { JwtSvids } from "./identity/jwt-svids.ts";
import { retirementBy } from "./identity/retirement.ts";
import { workloadSecrets } from "./identity/secrets.ts";
import { readTrustBundle, TrustBundleWatch } from "./identity/trust-bundle.ts";
import { watchProof } from "./identity/watch-proof.ts";
import { WorkloadSvids } from "./identity/workload-svids.ts";
import { Probes } from "./probes/probes.ts";
import { WorkloadHealth } from "./probes/workload-health.ts";
import { Reconciler } from "./reconcile.ts";
import { ConcurrencySettings } from "./registration/concurrency-settings.ts";
import { GroupSettings } from "./registration/group-settings.ts";
import { Registration } from "./registration/registration.ts";
import { createRelay } from "./relay/relay.ts";
import { orAborted } from "./state/or-aborted.ts";
import { ensurePrivateDir, removeUnfinished } from "./state/private-files.ts";
import { identifyCaller } from "./workload-api/caller.ts";
import { runWorkloadApi } from "./workload-api/workload-api.ts";

export interface AgentDeps {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Aborted: every workload leaves in order, and `runAgent` returns. */
  readonly signal: AbortSignal;
  /** Aborted before `signal`: `runAgent` returns at once, and the data planes run on for the next agent. */
  readonly released?: AbortSignal;
  /** Of this process unless given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Starts the built-in proxy when `--bootstrap FILE` is appended; this repository's unless given. */
  readonly proxyCommand?: readonly string[];
  /** In [0, 1). */
  readonly random?: () => number;
}

/**
 * The launcher, as people start it: with its compile cache, and with SIGUSR1 taken. A proxy keeps most of what a
 * configuration makes: a young generation of 2 MiB is collected in a few milliseconds, while calls wait.
 */
const PROXY_COMMAND = [
  process.execPath,
  "--max-semi-space-size=2",
  resolve(import.meta.dirname, "../cli/lateen.js"),
  "proxy",
];

/** Callers' proxies learn of a change within milliseconds; a slow one is given this long. */
const MOST_SETTLE_MS = 1000;

/** Runs the agent of a host that has joined until its signal is aborted. Throws when it cannot begin. */
export async function runAgent(config: AgentConfig, deps: AgentDeps): Promise<void> {
  const { logger, clock, signal, random = Math.random } = deps;
  const { stateDir, runDir } = config;
  const seams = { clock, logger, random };
  const environment = deps.environment ?? process.env;
  const released = deps.released ?? new AbortController().signal;
  for (const dir of [stateDir, join(stateDir, "identity"), join(stateDir, "workloads"), runDir]) {
    await ensurePrivateDir(dir);
  }
  await removeUnfinished(stateDir);
  const state = await joinedState(config, environment, { ...seams, signal });
  if (state === undefined) return;
  const dataPlane = chooseDataPlane(config, environment, deps, seams);
  await dataPlane.check(signal);

  const { trustDomain } = state;
  const servers = config.servers.length > 0 ? config.servers : state.servers;
  const initial = await readTrustBundle(stateDir, trustDomain, clock.now());
  let identityNow = (): X509Svid => state.svid;
  let roots = initial.roots;
  const channel = new ServerChannel({
    ...seams,
    addresses: servers,
    trustDomain,
    identity: () => ({ roots, certificate: identityNow() }),
  });
  const bundle = new TrustBundleWatch({ ...seams, initial, channel, stateDir });
  const retirement = retirementBy(bundle);
  const identity = new AgentIdentity({ ...seams, state, stateDir, retirement });
  identityNow = () => identity.current.svid;
  const issue = issueFrom(channel);
  const svids = new WorkloadSvids({ ...seams, issue, bundle: () => bundle.current, retirement });
  const groups = new GroupSettings({ ...seams, stateDir });
  const probes = new Probes({
    ...seams,
    loopback: config.loopback,
    environment: childEnvironment(environment),
  });
  const health = new WorkloadHealth({ ...seams, groups, probes, groupsMayExec: config.probes.exec });
  const concurrency = new ConcurrencySettings({ ...seams, stateDir });
  const registration = new Registration({ ...seams, channel, groups, concurrency });
  identity.changes.subscribe(() => channel.renew());
  bundle.changes.subscribe((change) => {
    roots = bundle.current.roots;
    if (change.roots) channel.renew();
  });
  bundle.estranged.subscribe((how) => identity.estrange(how));
  bundle.told.subscribe(() => identity.reconcile());
  registration.changes.subscribe(() => svids.retry());
  channel.changes.subscribe(() => {
    if (!channel.connected) return;
    identity.retry();
    registration.retry();
  });
  const proof = proofOf(config.join, environment);
  const comeBack = comeBackThrough({
    channel,
    proof,
    nodeName: config.nodeName,
    agentVersion: VERSION,
    logger,
  });

  const xdsSocket = join(runDir, "xds.sock");
  const { domainSuffix, loopback } = config;
  const folders = { stateDir, runDir, xdsSocket };
  const ownAddress = await addressTowards(servers);
  const { gateways, locality, network } = config;
  const names = { trustDomain, domainSuffix, loopback, gateways, locality, network };
  const reconciler = new Reconciler({
    ...seams,
    ...folders,
    ...names,
    ownAddress: config.address ?? ownAddress,
    svids,
    dataPlane,
    registration,
    groups,
    health,
    vips: () => chooseVips(config.vips),
    concurrency,
    released,
    settleMs: Math.min(MOST_SETTLE_MS, config.drainSeconds * 500),
  });
  const dns = hostDns(config, seams);
  const calls = new ObservedCalls();
  const decisions = new PolicyDecisions(seams);
  const serves = (nodeId: string): boolean => reconciler.serves(nodeId);
  const relay = createRelay({
    ...seams,
    socketPath: xdsSocket,
    stateDir,
    trustDomain,
    upstream: { open: () => openDeltaStream(channel.client) },
    secrets: workloadSecrets(svids, bundle),
    accessLog: accessLogHandlers({
      ...seams,
      serves,
      onCalls: (workload, seen) => calls.add(workload, seen),
      onDecisions: (workload, logged) => decisions.add(workload, logged),
    }),
    serves,
    names: (workload) => dns.names.follow(workload),
    onAnswer: () => acknowledgement.changed(),
  });
  reconciler.changes.subscribe(() => {
    dns.names.serve(callersAmong(reconciler.workloads().map(({ workload }) => workload)));
    relay.namesChanged();
  });
  const reporter = new CallReporter({ ...seams, calls, channel });
  const acknowledgement = new BundleAcknowledgement({ ...seams, channel, bundle, identity, svids, relay });
  await using discovery = await chooseDiscovery(config, { ...seams, ownAddress, environment });
  const { name } = discovery.source;
  const held = (): readonly CertificateFacts[] => [
    { workload: "", ...identityNow() },
    ...reconciler.workloads().flatMap(({ workload }) => {
      const id = workloadId(workload);
      const svid = svids.current(id);
      return svid === undefined ? [] : [{ workload: id, ...svid }];
    }),
  ];
  const captures = (): AskedCaptures => askedCaptures(reconciler, process.pid);
  const watch = new HostWatch({
    ...seams,
    config,
    facts: () =>
      hostFacts(runDir, {
        services: reconciler.services ?? [],
        certificates: held(),
        captures: captures().captures,
        dns: dns.server.state,
        vipPorts: dns.names.boundPorts,
      }),
    servers: () => ({ addresses: servers, known: { roots: bundle.current.roots } }),
    connected: () => channel.connected,
    changes: reconciler.changes,
  });
  const parts = {
    version: VERSION,
    discovery: name,
    identity,
    channel,
    registration,
    groups,
    health,
    svids,
    relay,
    reconciler,
    watch,
    dns,
  };
  const tokens = new JwtSvids({ channel, bundle: () => bundle.current, clock });
  const { workloadApi } = config;
  const workloadSocket = {
    socketPath: workloadApi.socket ?? join(runDir, "workload.sock"),
    open: workloadApi.socket !== undefined,
    rules: workloadApi.callers,
    identify: identifyCaller,
  };
  const statusPlaces = { address: config.status, open: config.status.socket };
  const status = (): AgentStatus => collectStatus(parts);
  const check = async (): Promise<AgentStatus["problems"]> => {
    await watch.look(true, signal);
    return status().problems;
  };
  const notifier = serviceNotifier({ environment, clock, logger, pid: process.pid });

  // What the workloads need to leave in order goes on until they have.
  const background = new AbortController();
  const relayListens = Promise.withResolvers<void>();
  await runTasks(
    background.signal,
    (signal) => channel.run(signal),
    (signal) => identity.run(issue, comeBack, signal),
    (signal) => watchProof(proof, clock, () => identity.retry(), signal),
    (signal) => bundle.run(signal),
    (signal) => acknowledgement.run(signal),
    (signal) => registration.run(signal),
    (signal) => relay.run(signal, relayListens.resolve),
    async (signal) => {
      const held = { svids, bundle, tokens };
      if (workloadApi.enabled) await runWorkloadApi({ ...seams, ...workloadSocket, ...held }, signal);
    },
    (signal) =>
      runStatusServer(
        {
          socketPath: join(runDir, "agent.sock"),
          ...statusPlaces,
          status,
          check,
          captures,
          decisions,
          logger,
        },
        signal,
      ),
    (signal) => dns.server.run(signal),
    (signal) => reporter.run(signal),
    (signal) => watch.run(signal),
    (signal) => notifier.runWatchdog(signal),
    (signal) => reportStatus(notifier, status, clock, signal),
    async (failed) => {
      try {
        await orAborted(relayListens.promise, failed);
        const either = AbortSignal.any([signal, released, failed]);
        if (!either.aborted) await reconciler.run(discovery.source, either);
      } finally {
        notifier.stopping();
        await svids.stop();
        background.abort();
      }
    },
  );
}

interface Seams {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

function chooseDataPlane(
  config: AgentConfig,
  environment: Readonly<Record<string, string | undefined>>,
  deps: AgentDeps,
  seams: Seams,
): DataPlane {
  const options = {
    ...seams,
    drainMs: config.drainSeconds * 1000,
    environment: childEnvironment(environment),
    logLevel: config.logLevel,
  };
  return config.dataPlane === "envoy"
    ? envoyDataPlane({ ...options, envoy: config.envoy })
    : builtinDataPlane({ ...options, command: deps.proxyCommand ?? PROXY_COMMAND });
}
