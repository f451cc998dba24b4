import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientDuplexStream, credentials, type MethodDefinition } from "@grpc/grpc-js";
import { AgentBundles } from "../../controlplane/agents/agent-bundles.ts";
import { agentServiceHandlers } from "../../controlplane/agents/agent-service.ts";
import { AgentStreams } from "../../controlplane/agents/agent-streams.ts";
import { certificateServiceHandlers } from "../../controlplane/agents/certificate-service.ts";
import { agentAuthenticator } from "../../controlplane/agents/peer.ts";
import { Placements } from "../../controlplane/agents/placements.ts";
import { serveAgents } from "../../controlplane/agents/server.ts";
import { agentServerCredentials } from "../../controlplane/agents/server-credentials.ts";
import { storedGroups } from "../../controlplane/agents/stored-groups.ts";
import { storedProxySettings } from "../../controlplane/agents/stored-proxy-settings.ts";
import { type AgentBinding, UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import { AgentRecords } from "../../controlplane/attest/agent-records.ts";
import type { Attestor } from "../../controlplane/attest/attestor.ts";
import { AgentJoin, type JoinOutcome } from "../../controlplane/attest/join-agent.ts";
import { JoinTokenStore } from "../../controlplane/attest/join-token-store.ts";
import { joinTokenAttestor } from "../../controlplane/attest/methods/join-token.ts";
import { lastCertificateAttestor } from "../../controlplane/attest/methods/last-certificate.ts";
import type { RateLimitPolicy } from "../../controlplane/attest/rate-limit.ts";
import { standingOf } from "../../controlplane/attest/standing.ts";
import type { AuditEvent } from "../../controlplane/audit/audit-record.ts";
import { Bans } from "../../controlplane/ca/bans.ts";
import type { CertificateAuthority } from "../../controlplane/ca/certificate-authority.ts";
import { IssuedCertificates, noted } from "../../controlplane/ca/issued-certificates.ts";
import type { Lifetimes } from "../../controlplane/ca/lifetimes.ts";
import type { MeshAuthority } from "../../controlplane/ca/mesh-authority.ts";
import { ServerIdentity } from "../../controlplane/ca/server-identity.ts";
import { CallHistory } from "../../controlplane/observed/call-history.ts";
import type { ConfigStore } from "../../controlplane/store/config-store.ts";
import { openDatabase } from "../../controlplane/store/database.ts";
import { SqliteConfigStore } from "../../controlplane/store/sqlite-config-store.ts";
import { agentService, certificateService } from "../../mesh/agent-api/services.ts";
import { createCsr } from "../../mesh/identity/csr.ts";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { type Clock, systemClock } from "../../mesh/lifecycle/clock.ts";
import type { LogFields, Logger } from "../../mesh/telemetry/logger.ts";
import type {
  JoinRequest,
  ReportResult,
  Workload,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { testAuthority } from "./test-authority.ts";
import { newKey } from "./test-certificates.ts";

export interface LogLine extends LogFields {
  readonly message: string;
}

/** The server's agent port, for real: TLS, sqlite, CA; on any free port of the loopback. */
export interface AgentPort extends AsyncDisposable {
  readonly port: number;
  readonly ca: CertificateAuthority;
  readonly authority: MeshAuthority;
  readonly bans: Bans;
  readonly bundles: AgentBundles;
  readonly streams: AgentStreams;
  readonly identity: ServerIdentity;
  readonly tokens: JoinTokenStore;
  readonly agents: AgentRecords;
  readonly placements: Placements;
  readonly history: CallHistory;
  readonly store: ConfigStore;
  readonly log: readonly LogLine[];
  /** How each join ended. */
  readonly outcomes: readonly JoinOutcome[];
  /** What went to the audit log. */
  readonly audited: readonly AuditEvent[];
  /** Stops it; the state directory stays for another `startAgentPort`. */
  stop(): Promise<void>;
}

/** A state directory that goes when the test does. */
export async function stateDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "lateen-agent-port-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function startAgentPort(
  state: string,
  options: {
    readonly lifetimes?: Partial<Lifetimes>;
    readonly port?: number;
    /** Beside join tokens and last certificates. */
    readonly attestors?: readonly Attestor[];
    readonly joinRate?: RateLimitPolicy;
    readonly clock?: Clock;
    /** Stands between the calls and the authority. */
    readonly overCa?: (ca: CertificateAuthority) => CertificateAuthority;
    readonly graceMs?: number;
  } = {},
): Promise<AgentPort> {
  const lines: LogLine[] = [];
  const audited: AuditEvent[] = [];
  const outcomes: JoinOutcome[] = [];
  const onOutcome = (outcome: JoinOutcome): void => void outcomes.push(outcome);
  const note = (event: AuditEvent): void => void audited.push(event);
  const log = recorder(lines);
  const clock = options.clock ?? systemClock;
  const stop = new AbortController();
  const { signal } = stop;
  const trustDomain = parseTrustDomain("cluster.local");
  const lifetimes = options.lifetimes ?? {};
  const database = openDatabase(join(state, "lateen.db"));
  const issued = new IssuedCertificates(database, clock);
  const authority = await testAuthority({ directory: state, trustDomain, clock, lifetimes, database });
  const opened = noted(authority, issued);
  const ca = options.overCa?.(opened) ?? opened;
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const identity = await ServerIdentity.open({ ca: opened, ...names, clock, random: Math.random, log });
  const tokens = new JoinTokenStore(database, clock);
  const agents = new AgentRecords(database, clock);
  const placements = new Placements(database, clock);
  const bans = new Bans(database, issued, clock);
  const bundles = new AgentBundles({ agents, clock, awayAfterMs: 60_000 });
  const streams = new AgentStreams();
  const authenticator = agentAuthenticator(trustDomain, agents, bans, clock);
  const history = new CallHistory(clock);
  const store = new SqliteConfigStore({ database, clock, logger: log });
  const attestors = [
    joinTokenAttestor(tokens),
    lastCertificateAttestor({ ca, agents, bans, clock, graceMs: options.graceMs ?? 7 * 86_400_000 }),
    ...(options.attestors ?? []),
  ];
  const standing = standingOf(attestors, log);
  const rate = options.joinRate === undefined ? {} : { rate: options.joinRate };
  const joins = new AgentJoin({
    ca,
    attestors,
    agents,
    bans,
    standing,
    clock,
    log,
    note,
    onOutcome,
    ...rate,
  });
  const agentHandlers = agentServiceHandlers({
    ca,
    authority,
    join: joins,
    authenticator,
    placements,
    bans,
    bundles,
    streams,
    history,
    clock,
    groups: storedGroups(store),
    note,
    settings: storedProxySettings(store, "istio-system", signal),
    log,
    signal,
  });
  const certificateHandlers = certificateServiceHandlers({
    ca,
    authenticator,
    agents,
    placements,
    standing,
    bans,
    clock,
    log,
    note,
    signal,
  });
  const serving = await serveAgents({
    address: "127.0.0.1",
    port: options.port ?? 0,
    credentials: agentServerCredentials(identity, ca, signal),
    services: [
      { definition: agentService, handlers: { ...agentHandlers } },
      { definition: certificateService, handlers: { ...certificateHandlers } },
    ],
    signal,
    drainMs: 500,
  });
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    stop.abort();
    await serving.stopped;
    database.close();
  };
  return {
    port: serving.port,
    ca,
    authority,
    bans,
    bundles,
    streams,
    identity,
    tokens,
    agents,
    placements,
    history,
    store,
    log: lines,
    audited,
    outcomes,
    stop: close,
    [Symbol.asyncDispose]: close,
  };
}

/** A gRPC client of the agent port, with or without a certificate. */
export class AgentPortClient implements Disposable {
  readonly #client: Client;

  constructor(
    port: Pick<AgentPort, "port" | "ca">,
    identity?: { readonly chainPem: string; readonly key: KeyObject },
  ) {
    const roots = Buffer.from(joinPemChain(port.ca.bundle.roots));
    const tls =
      identity === undefined
        ? credentials.createSsl(roots)
        : credentials.createSsl(
            roots,
            Buffer.from(identity.key.export({ type: "pkcs8", format: "pem" })),
            Buffer.from(identity.chainPem),
          );
    this.#client = new Client(`127.0.0.1:${port.port}`, tls, { "grpc.use_local_subchannel_pool": 1 });
  }

  call<Q, S>(method: MethodDefinition<Q, S>, request: Q): Promise<S> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
        if (answer === undefined) reject(error ?? new Error("no answer"));
        else resolve(answer);
      });
    });
  }

  register(): ClientDuplexStream<WorkloadReport, ReportResult> {
    const { path, requestSerialize, responseDeserialize } = agentService.register;
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  }

  watchBundle(): ReturnType<Client["makeServerStreamRequest"]> {
    const { path, requestSerialize, responseDeserialize } = agentService.watchTrustBundle;
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

export interface JoinedTestAgent extends Disposable {
  readonly id: string;
  readonly key: KeyObject;
  readonly chainPem: string;
  readonly client: AgentPortClient;
}

/** Joins with a new token, as an agent does. */
export async function joinAgent(port: AgentPort, binding: AgentBinding = UNBOUND): Promise<JoinedTestAgent> {
  const { secret } = port.tokens.create({ binding, ttlMs: 60_000 });
  const key = newKey();
  using anonymous = new AgentPortClient(port);
  const answer = await anonymous.call(agentService.join, {
    ...joinRequest("join-token", secret, createCsr(key)),
  });
  const chainPem = answer.certChain[0] ?? "";
  const client = new AgentPortClient(port, { chainPem, key });
  return { id: answer.agentId, key, chainPem, client, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

/** A request to join, with whatever evidence. */
export function joinRequest(
  method: string,
  evidence: string,
  csr: string = createCsr(newKey()),
  challenge: Uint8Array = Buffer.alloc(0),
): JoinRequest {
  return {
    method,
    evidence,
    challenge: Buffer.from(challenge),
    csr,
    nodeName: "vm-1",
    agentVersion: "0.1.0",
  };
}

/** The next message of a stream; rejects with the stream's error. */
export function nextMessage<S>(stream: NodeJS.ReadableStream): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => (): void => {
      stream.off("data", onData);
      stream.off("error", onError);
      act();
    };
    const onData = (message: unknown): void => settle(() => resolve(message as S))();
    const onError = (error: Error): void => settle(() => reject(error))();
    stream.on("data", onData);
    stream.on("error", onError);
  });
}

export function wireWorkload(name: string, changes: Partial<Workload> = {}): Workload {
  return {
    name,
    namespace: "default",
    service: name,
    serviceAccount: name,
    labels: {},
    ports: [],
    upstreams: [],
    healthy: true,
    catalog: undefined,
    locality: "",
    dataPlane: "builtin",
    weight: 0,
    network: "",
    role: "",
    interception: "",
    capturedAt: undefined,
    discovery: "",
    httpProxy: undefined,
    vips: "none",
    reportsCalls: false,
    group: "",
    defaulted: [],
    mtls: "",
    ...changes,
  };
}

export function publicKeyOf(pem: string): Buffer {
  return new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
}

export function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}

function recorder(lines: LogLine[]): Logger {
  const write = (message: string, fields: LogFields = {}): void => {
    lines.push({ message, ...fields });
  };
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  return logger;
}
