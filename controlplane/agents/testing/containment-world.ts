import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { agentService, certificateService } from "../../../mesh/agent-api/services.ts";
import { SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import { createCsr } from "../../../mesh/identity/csr.ts";
import { agentSpiffeId, type SpiffeId, workloadSpiffeId } from "../../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../../mesh/identity/trust-domain.ts";
import { objectKey } from "../../../mesh/model/object.ts";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import { adsService } from "../../../mesh/xds/ads-service.ts";
import { resourceMap } from "../../../mesh/xds/encoded-resource.ts";
import { DeltaDiscoveryResponse } from "../../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { IstioCertificateResponse } from "../../../mesh/xds/gen/istio/v1/auth/ca.ts";
import type {
  JwtSvidResponse,
  ReportResult,
  Workload,
  WorkloadReport,
} from "../../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { ManualClock } from "../../../test/fakes/manual-clock.ts";
import { MemoryConfigStore } from "../../../test/fakes/memory-config-store.ts";
import { objects } from "../../../test/fakes/sample-mesh.ts";
import { Random } from "../../../test/harness/random.ts";
import {
  type MintOptions,
  mintCsr,
  mintRoot,
  mintSvid,
  newKey,
  uriSan,
} from "../../../test/harness/test-certificates.ts";
import { type AgentServices, agentFacingServices } from "../../agent-services.ts";
import { type AgentBinding, UNBOUND } from "../../attest/agent-binding.ts";
import { AgentRecords } from "../../attest/agent-records.ts";
import { Bans } from "../../ca/bans.ts";
import type { CertificateAuthority } from "../../ca/certificate-authority.ts";
import { IssuedCertificates } from "../../ca/issued-certificates.ts";
import { CallHistory } from "../../observed/call-history.ts";
import { openDatabase } from "../../store/database.ts";
import type { ConfigSource } from "../../xds/config-source.ts";
import { AgentBundles } from "../agent-bundles.ts";
import { AgentStreams } from "../agent-streams.ts";
import { Placements } from "../placements.ts";
import { FakeCall, type FakePeer } from "./fake-call.ts";

export const TRUST_DOMAIN: ReturnType<typeof parseTrustDomain> = parseTrustDomain("cluster.local");
const NAMESPACES = ["a", "b", "c"];
const ACCOUNTS = ["web", "api", "db"];
const HOSTS = 6;

/** Who calls. What is no agent's certificate is an impostor's. */
export interface Host {
  readonly id: string;
  readonly binding: AgentBinding;
  readonly isAgent: boolean;
  readonly peer: FakePeer | undefined;
}

interface Csr {
  readonly pem: string;
  readonly names: readonly string[];
}

interface Placed {
  readonly host: string;
  readonly namespace: string;
  readonly account: string;
  /** What its group said of its account: `""` is nothing. Undefined: it has no group. */
  readonly said: string | undefined;
}

/** Every namespace has it, or has it not. */
export const GROUP = "g";

const root = mintRoot();
const idOf = (index: number): string => `agent-${index}`;
const peerWith = (spiffeId: string, options: MintOptions = {}): Host["peer"] => {
  const { der } = mintSvid(root, spiffeId, options);
  const validTo = new Date(options.notAfterMs ?? Date.now() + 1e9).toUTCString();
  return { raw: der, validTo, serialNumber: new X509Certificate(der).serialNumber };
};
const AGENT_PEERS = Array.from({ length: HOSTS }, (_, index) =>
  peerWith(agentSpiffeId(TRUST_DOMAIN, idOf(index))),
);
/** Certificates that are no agent's of this mesh, each of somebody who says that it is the first host. */
const IMPOSTORS: readonly Host["peer"][] = [
  undefined,
  peerWith("spiffe://cluster.local/ns/a/sa/web"),
  peerWith("spiffe://cluster.local/lateen/server"),
  peerWith("spiffe://other.example/lateen/agent/agent-0"),
  peerWith("spiffe://cluster.local/lateen/agent/nobody"),
  peerWith("spiffe://cluster.local/lateen/agent/agent-0", { isCa: true }),
  peerWith("spiffe://cluster.local/lateen/agent/agent-0", { notAfterMs: Date.UTC(2020, 0, 1) }),
  peerWith("spiffe://cluster.local/lateen/agent/agent-0/x"),
];

const key = newKey();
const namesOf = (...names: readonly string[]): Csr => ({ pem: mintCsr(key, names.map(uriSan)), names });
const CSRS: readonly Csr[] = [
  { pem: createCsr(key), names: [] },
  namesOf("spiffe://cluster.local/ns/a/sa/web"),
  namesOf("spiffe://cluster.local/ns/b/sa/api"),
  namesOf("spiffe://cluster.local/lateen/agent/agent-1"),
  namesOf("spiffe://cluster.local/ns/a/sa/web", "spiffe://cluster.local/ns/a/sa/web"),
  { pem: mintCsr(key, [{ tag: SAN_DNS, value: "bank.example" }]), names: ["dns:bank.example"] },
];

/** One graph of hosts, bindings and placements, with the real handlers and a model beside them. */
export class ContainmentWorld implements AsyncDisposable {
  readonly random: Random;
  readonly hosts: readonly Host[];
  readonly accounts: readonly string[] = ACCOUNTS;
  readonly workloadNames: readonly { readonly name: string; readonly namespace: string }[];
  /** Resources that streams were sent. */
  delivered = 0;
  readonly #clock = new ManualClock(Date.now());
  readonly #stop = new AbortController();
  readonly #agents: AgentRecords;
  readonly #services: AgentServices;
  readonly #running: Promise<void>;
  readonly #registrations = new Map<string, FakeCall>();
  readonly #violations: string[] = [];
  readonly #published: ((snapshot: number) => void)[] = [];
  /** The model: workload → who has it, as whom. */
  readonly #placed = new Map<string, Placed>();
  readonly #banned = new Set<string>();
  /** The model: namespace → what its group says of service accounts. */
  readonly #groups = new Map<string, string>();
  readonly #reports = new Map<string, readonly Workload[]>();
  readonly #store: MemoryConfigStore;
  #snapshot = 1;

  constructor(seed: number) {
    const random = new Random(seed * 1_000_003);
    this.random = random;
    this.workloadNames = NAMESPACES.flatMap((namespace) =>
      Array.from({ length: 4 }, (_, index) => ({ name: `w${index}`, namespace })),
    );
    const agents = AGENT_PEERS.map((peer, index) => ({
      id: idOf(index),
      binding: this.#someBinding(),
      isAgent: true,
      peer,
    }));
    const impostors = IMPOSTORS.map((peer) => ({ id: idOf(0), binding: UNBOUND, isAgent: false, peer }));
    this.hosts = [...agents, ...agents, ...agents, ...impostors];
    const database = openDatabase(":memory:");
    this.#agents = new AgentRecords(database, this.#clock);
    const attested = { method: "join-token", subject: "", keyHash: "", ttlMs: undefined } as const;
    for (const { id, binding } of agents)
      this.#agents.put({ id, nodeName: id, version: "1", binding, attested });
    this.#store = new MemoryConfigStore(this.#clock);
    const issued = new IssuedCertificates(database, this.#clock);
    this.#services = agentFacingServices({
      ca: NAMING_CA,
      authority: { issueJwt: ({ spiffeId }) => ({ token: spiffeId, notAfterMs: 1 }) },
      attestors: [],
      agents: this.#agents,
      placements: new Placements(database, this.#clock),
      history: new CallHistory(this.#clock),
      store: this.#store,
      translator: this.#source(),
      rootNamespace: "istio-system",
      metrics: NO_METRICS,
      audit: { note: () => undefined },
      bans: new Bans(database, issued, this.#clock),
      bundles: new AgentBundles({ agents: this.#agents, clock: this.#clock, awayAfterMs: 60_000 }),
      streams: new AgentStreams(),
      trustDomain: TRUST_DOMAIN,
      serverName: "test",
      clock: this.#clock,
      logger: silentLogger,
      signal: this.#stop.signal,
    });
    this.#running = this.#services.ads.run(this.#stop.signal);
  }

  /** Time for each agent's rate limit to be full again. */
  tick(): void {
    this.#clock.advance(1000);
  }

  mayCall(host: Host): boolean {
    return host.isAgent && !this.#banned.has(host.id);
  }

  /** Identities that the model has on a host now and within its binding. */
  identitiesOn(host: Host): readonly SpiffeId[] {
    return [...this.#placed.values()]
      .filter((one) => one.host === host.id)
      .map(({ namespace, account }) => workloadSpiffeId(TRUST_DOMAIN, namespace, account));
  }

  /** One that the host has, one that another has, one that nobody has, the agent's own, or nonsense. */
  someIdentity(host: Host): string | undefined {
    const { random } = this;
    if (random.chance(0.1)) return undefined;
    const own = this.identitiesOn(host);
    if (own.length > 0 && random.chance(0.4)) return random.pick(own);
    if (random.chance(0.7))
      return workloadSpiffeId(TRUST_DOMAIN, random.pick(NAMESPACES), random.pick(ACCOUNTS));
    return random.pick([
      agentSpiffeId(TRUST_DOMAIN, random.pick(this.hosts).id),
      "spiffe://cluster.local/lateen/server",
      "spiffe://other.example/ns/a/sa/web",
      "SPIFFE://cluster.local/ns/a/sa/web",
      "spiffe://cluster.local/ns/a/sa/web/",
      "spiffe://cluster.local/ns/a/../a/sa/web",
      "spiffe://cluster.local/ns/a/sa/%77eb",
      "",
    ]);
  }

  someCsr(): Csr {
    return this.random.chance(0.8) ? (CSRS[0] as Csr) : this.random.pick(CSRS);
  }

  /** Half the time one that the host has, if it has any. */
  someWorkloadName(host: Host): { readonly name: string; readonly namespace: string } {
    const own = this.workloadNames.filter(({ name, namespace }) => {
      return this.#placed.get(`${namespace}/${name}`)?.host === host.id;
    });
    return this.random.pick(own.length > 0 && this.random.chance(0.5) ? own : this.workloadNames);
  }

  /** The identity that the certificate service gave; undefined when it refused. */
  async certify(host: Host, wanted: string | undefined, { pem: csr }: Csr): Promise<string | undefined> {
    const metadata = wanted === undefined ? undefined : { ImpersonatedIdentity: wanted };
    const call = new FakeCall({ csr, metadata, validityDuration: 0 }, host.peer);
    const { createCertificate } = this.#handlers(certificateService);
    return new Promise((resolve) => {
      createCertificate?.(call, (error: unknown, answer: IstioCertificateResponse | undefined) =>
        resolve(error === null ? answer?.certChain[0] : undefined),
      );
    });
  }

  /** The identity of the token that was given; undefined when it was refused. */
  async token(host: Host, wanted: string): Promise<string | undefined> {
    const call = new FakeCall({ spiffeId: wanted, audiences: ["bank"] }, host.peer);
    const { issueJwtSvid } = this.#handlers(agentService);
    return new Promise((resolve) => {
      issueJwtSvid?.(call, (error: unknown, answer: JwtSvidResponse | undefined) =>
        resolve(error === null ? answer?.token : undefined),
      );
    });
  }

  /** An ADS stream, each of whose responses is held against the model as it is written. */
  openStream(host: Host): FakeCall {
    const call = new FakeCall(undefined, host.peer);
    const write = call.write.bind(call);
    call.write = (message, done) => {
      const taken = write(message, done);
      this.#inspect(host, call.written.pop());
      return taken;
    };
    this.#handlers(adsService)["deltaAggregatedResources"]?.(call);
    return call;
  }

  /** Reports workloads; the answer, and what the model accepts of them. Both undefined when the host may not call. */
  async register(
    host: Host,
    report: WorkloadReport,
  ): Promise<{ readonly result: ReportResult | undefined; readonly accepted: ReadonlySet<string> }> {
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    const known = host.isAgent ? this.#registrations.get(host.id) : undefined;
    const call = known === undefined || known.ended ? new FakeCall(undefined, host.peer) : known;
    if (call !== known) this.#handlers(agentService)["register"]?.(call);
    if (host.isAgent && call !== known) {
      // The newest last: in this order streams are judged again.
      this.#registrations.delete(host.id);
      this.#registrations.set(host.id, call);
    }
    const accepted = this.#modelRegister(host, report.workloads);
    if (this.mayCall(host)) this.#reports.set(host.id, report.workloads);
    call.written.length = 0;
    call.emit("data", report);
    for (let turn = 0; turn < 50 && call.written.length === 0 && !call.ended; turn++) await nextTurn();
    return { result: call.written.at(-1) as ReportResult | undefined, accepted };
  }

  /** Something that happens by itself: a ban, a pardon, a lost stream, an edit of a group, a publication. */
  async disturb(): Promise<void> {
    const host = this.random.pick(this.hosts.filter(({ isAgent }) => isAgent));
    const chance = this.random.next();
    if (chance < 0.2) this.#ban(host, this.random.chance(0.4));
    else if (chance < 0.4) this.#registrations.get(host.id)?.hangUp();
    else if (chance < 0.7) await this.#editGroup();
    else this.#publish();
  }

  assertContained(): void {
    assert.deepEqual(this.#violations, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  #handlers(definition: object): Readonly<Record<string, ((...args: unknown[]) => void) | undefined>> {
    const found = this.#services.list.find((service) => service.definition === definition);
    return (found?.handlers ?? {}) as Readonly<Record<string, (...args: unknown[]) => void>>;
  }

  #ban(host: Host, banned: boolean): void {
    this.#agents.setBanned(host.id, banned);
    if (banned) this.#banned.add(host.id);
    else this.#banned.delete(host.id);
  }

  #publish(): void {
    this.#snapshot += 1;
    for (const listener of this.#published) listener(this.#snapshot);
  }

  /** A group comes, says something else, or goes; its workloads are judged again on the streams that are open. */
  async #editGroup(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    const namespace = this.random.pick(NAMESPACES);
    const account = this.random.chance(0.25) ? undefined : this.random.pick(["", ...ACCOUNTS]);
    if (account === this.#groups.get(namespace)) return;
    if (account === undefined) {
      this.#groups.delete(namespace);
      this.#store.delete(objectKey("WorkloadGroup", namespace, GROUP), { origin: "api" });
    } else {
      this.#groups.set(namespace, account);
      this.#store.apply(groupObject(namespace, account), { origin: "api" });
    }
    for (const id of this.#registrations.keys()) {
      const host = this.hosts.find((one) => one.isAgent && one.id === id);
      const workloads = this.#reports.get(id) ?? [];
      const member = workloads.some((one) => one.group === GROUP && one.namespace === namespace);
      if (host !== undefined && member && this.#isLive(id)) this.#modelRegister(host, workloads);
    }
  }

  #isLive(host: string): boolean {
    const call = this.#registrations.get(host);
    return call !== undefined && !call.ended;
  }

  #modelRegister(host: Host, workloads: readonly Workload[]): ReadonlySet<string> {
    if (!this.mayCall(host)) return new Set();
    const accepted = new Map<string, Placed>();
    for (const workload of workloads) {
      const { name, namespace, serviceAccount, group, defaulted } = workload;
      const id = `${namespace}/${name}`;
      const before = this.#placed.get(id);
      const free = before === undefined || before.host === host.id || !this.#isLive(before.host);
      const words = [this.#groups.get(namespace), before?.said].filter((said) => said !== undefined);
      const ways = (group === "" ? [undefined] : words).map((said) => ({
        said,
        account: (defaulted.length > 0 && said) || serviceAccount,
      }));
      const way = ways.find(({ account }) => within(host.binding, namespace, account));
      if (free && way !== undefined) accepted.set(id, { host: host.id, namespace, ...way });
    }
    for (const [id, { host: holder }] of this.#placed) if (holder === host.id) this.#placed.delete(id);
    for (const [id, placed] of accepted) this.#placed.set(id, placed);
    return new Set(accepted.keys());
  }

  #inspect(host: Host, message: unknown): void {
    if (!(message instanceof Uint8Array)) return;
    for (const { name } of DeltaDiscoveryResponse.decode(message).resources) {
      this.delivered += 1;
      const holder = this.#placed.get(name)?.host;
      if (holder !== host.id || !this.mayCall(host))
        this.#violations.push(`${name} of ${holder} to ${host.id}`);
    }
  }

  #someBinding(): AgentBinding {
    const { random } = this;
    return {
      ...UNBOUND,
      ...(random.chance(0.4) ? { namespace: random.pick(NAMESPACES) } : {}),
      ...(random.chance(0.4) ? { serviceAccounts: random.some(ACCOUNTS, 0.6) } : {}),
    };
  }

  /** Each workload's only resource bears its name. */
  #source(): ConfigSource {
    return {
      resourcesFor: ({ workload }) => {
        const version = String(this.#snapshot);
        const own = resourceMap([{ name: workload, version, bytes: Buffer.from(workload) }]);
        return {
          snapshot: this.#snapshot,
          types: new Map([
            [TYPE_URL.secret, own],
            [TYPE_URL.cluster, own],
          ]),
        };
      },
      onPublish: (listener) => void this.#published.push(listener),
    };
  }
}

function groupObject(namespace: string, account: string): ReturnType<typeof objects> {
  const known = GROUP_OBJECTS.get(`${namespace}/${account}`);
  const yaml = `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { name: ${GROUP}, namespace: ${namespace} }
spec: { template: { ${account === "" ? "" : `serviceAccount: ${account}`} } }
`;
  const made = known ?? objects(yaml);
  GROUP_OBJECTS.set(`${namespace}/${account}`, made);
  return made;
}

const GROUP_OBJECTS = new Map<string, ReturnType<typeof objects>>();

function within({ namespace, serviceAccounts }: AgentBinding, wanted: string, account: string): boolean {
  return (namespace ?? wanted) === wanted && (serviceAccounts ?? [account]).includes(account);
}

/** Its certificates are the names that it was told to certify. */
const NAMING_CA: CertificateAuthority = {
  bundle: {
    trustDomain: TRUST_DOMAIN,
    roots: [root.pem],
    crls: [],
    retiring: [],
    renewWithinMs: 0,
    jwtKeys: "",
    sequence: 1,
  },
  onBundleChange: () => undefined,
  issue: async ({ spiffeId }) => ({
    spiffeId,
    chain: [spiffeId],
    serial: "01",
    notBeforeMs: 0,
    notAfterMs: 1,
    authority: "",
  }),
};

const NO_METRICS: Parameters<typeof agentFacingServices>[0]["metrics"] = {
  pushed: () => undefined,
  rejected: () => undefined,
  converged: () => undefined,
  certificateRequested: () => undefined,
  certificateIssued: () => undefined,
  certificateRefused: () => undefined,
  joined: () => undefined,
  text: async () => "",
};
