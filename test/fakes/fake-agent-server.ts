import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { experimental, Server, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { CertificateAuthority } from "../../controlplane/ca/certificate-authority.ts";
import { openDatabase } from "../../controlplane/store/database.ts";
import { agentService, certificateService } from "../../mesh/agent-api/services.ts";
import { createCsr, parseCsr } from "../../mesh/identity/csr.ts";
import { formatJoinToken, generateJoinSecret } from "../../mesh/identity/join-token.ts";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import {
  agentSpiffeId,
  parseSpiffeId,
  type SpiffeId,
  serverSpiffeId,
} from "../../mesh/identity/spiffe-id.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import type {
  IstioCertificateRequest,
  IstioCertificateResponse,
} from "../../mesh/xds/gen/istio/v1/auth/ca.ts";
import type {
  GroupSettings,
  JoinRequest,
  JoinResponse,
  ReportResult,
  TrustBundleAck,
  TrustBundleAckResult,
  TrustBundleRequest,
  TrustBundleResponse,
  Workload,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";

import { testAuthority } from "../harness/test-authority.ts";

const TRUST_DOMAIN = "cluster.local" as TrustDomain;

export interface FakeServerOptions {
  /** 0 unless given: a server that comes back takes the port it had. */
  readonly port?: number;
  /** Of a server before this one, so that its certificates stay good. */
  readonly authority?: CertificateAuthority;
  /** Life of the certificates that it issues. */
  readonly ttlMs?: number;
  /** The identity that it shows; that of a server unless given. */
  readonly spiffeId?: SpiffeId;
  /** Reasons against workloads, by `namespace/name`. */
  readonly refuse?: (workload: Workload) => string | undefined;
  /** What workloads are with what their groups say; none unless given. */
  readonly groups?: (workload: Workload) => GroupSettings | undefined;
}

/** A control plane as far as an agent sees it beside ADS: real gRPC over real mTLS with a real CA, facts in memory. */
export class FakeAgentServer implements AsyncDisposable {
  readonly authority: CertificateAuthority;
  readonly port: number;
  /** The last report of each agent. */
  readonly reports: WorkloadReport[] = [];
  /** Whom certificates were issued to, in their order. */
  readonly issued: SpiffeId[] = [];
  /** What agents said is in use. */
  readonly acknowledged: TrustBundleAck[] = [];
  readonly #server: Server;
  readonly #secrets = new Set<string>();
  readonly #options: FakeServerOptions;
  readonly #registered = new Set<string>();
  #bundles: ServerWritableStream<TrustBundleRequest, TrustBundleResponse>[] = [];

  private constructor(
    authority: CertificateAuthority,
    server: Server,
    port: number,
    options: FakeServerOptions,
  ) {
    this.authority = authority;
    this.port = port;
    this.#server = server;
    this.#options = options;
    const unary = { join: this.#join, createCertificate: this.#createCertificate };
    server.addService(agentService, {
      join: unary.join,
      register: this.#register,
      watchTrustBundle: this.#watchTrustBundle,
      acknowledgeTrustBundle: this.#acknowledge,
    });
    server.addService(certificateService, { createCertificate: unary.createCertificate });
  }

  static async start(options: FakeServerOptions = {}): Promise<FakeAgentServer> {
    const authority = options.authority ?? (await newAuthority());
    const key = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    const { publicKeyDer } = parseCsr(createCsr(key));
    const { chain } = await authority.issue({
      spiffeId: options.spiffeId ?? serverSpiffeId(TRUST_DOMAIN),
      publicKeyDer,
    });
    const server = new Server();
    const ca = { caCertificate: Buffer.from(joinPemChain(authority.bundle.roots)) };
    const identity = {
      certificate: Buffer.from(joinPemChain(chain)),
      privateKey: Buffer.from(key.export({ type: "pkcs8", format: "pem" }) as string),
    };
    // grpc-js misses an update that comes while it subscribes.
    const provider = {
      addCaCertificateListener: (listener: (update: typeof ca) => void) => queueMicrotask(() => listener(ca)),
      removeCaCertificateListener: () => {},
      addIdentityCertificateListener: (listener: (update: typeof identity) => void) =>
        queueMicrotask(() => listener(identity)),
      removeIdentityCertificateListener: () => {},
    };
    const credentials = experimental.createCertificateProviderServerCredentials(provider, provider, false);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return new FakeAgentServer(authority, server, port, options);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A token that is good once. */
  token(addresses: readonly string[] = [this.address]): string {
    const secret = generateJoinSecret();
    this.#secrets.add(secret);
    const pin = certificatePin(new X509Certificate(this.authority.bundle.roots[0] ?? ""));
    return formatJoinToken({ addresses, trustDomain: TRUST_DOMAIN, pin, secret });
  }

  /** Tells every agent a bundle. */
  sendBundle(bundle: TrustBundleResponse): void {
    for (const call of this.#bundles) call.write(bundle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  readonly #join = (
    call: ServerUnaryCall<JoinRequest, JoinResponse>,
    reply: sendUnaryData<JoinResponse>,
  ): void => {
    if (!this.#secrets.delete(call.request.evidence)) {
      reply({ code: status.UNAUTHENTICATED, details: "join refused" });
      return;
    }
    const agentId = call.request.nodeName;
    this.#issue(agentSpiffeId(TRUST_DOMAIN, agentId), call.request.csr).then(
      (certChain) =>
        reply(null, { certChain, agentId, trustDomain: TRUST_DOMAIN, challenge: Buffer.alloc(0) }),
      (error: unknown) => reply({ code: status.INTERNAL, details: String(error) }),
    );
  };

  readonly #createCertificate = (
    call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
    reply: sendUnaryData<IstioCertificateResponse>,
  ): void => {
    const caller = callerOf(call.getAuthContext().sslPeerCertificate?.raw);
    if (caller === undefined) {
      reply({ code: status.UNAUTHENTICATED, details: "an agent's certificate is needed" });
      return;
    }
    const wanted = call.request.metadata?.["ImpersonatedIdentity"] as string | undefined;
    if (wanted !== undefined && !this.#registered.has(wanted)) {
      reply({ code: status.PERMISSION_DENIED, details: `no workload of this agent is ${wanted}` });
      return;
    }
    this.#issue(wanted === undefined ? caller : parseSpiffeId(wanted), call.request.csr).then(
      (certChain) => reply(null, { certChain }),
      (error: unknown) => reply({ code: status.INTERNAL, details: String(error) }),
    );
  };

  readonly #register = (call: ServerDuplexStream<WorkloadReport, ReportResult>): void => {
    call.on("data", (report: WorkloadReport) => {
      this.reports.push(report);
      this.#registered.clear();
      const refusals: { workload: string; reason: string }[] = [];
      const groups = report.workloads.flatMap((workload) => this.#options.groups?.(workload) ?? []);
      for (const workload of report.workloads) {
        const reason = this.#options.refuse?.(workload);
        if (reason !== undefined)
          refusals.push({ workload: `${workload.namespace}/${workload.name}`, reason });
        else {
          const { namespace, name } = workload;
          const told = groups.find((one) => one.workload === `${namespace}/${name}`)?.serviceAccount;
          this.#registered.add(
            `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/${told ?? workload.serviceAccount}`,
          );
        }
      }
      call.write({ sequence: report.sequence, refusals, settings: [], groups });
    });
    call.on("end", () => call.end());
    call.on("error", () => {});
  };

  readonly #watchTrustBundle = (
    call: ServerWritableStream<TrustBundleRequest, TrustBundleResponse>,
  ): void => {
    this.#bundles.push(call);
    call.on("cancelled", () => {
      this.#bundles = this.#bundles.filter((other) => other !== call);
    });
    call.write(bundleMessage(this.authority.bundle));
  };

  readonly #acknowledge = (
    call: ServerUnaryCall<TrustBundleAck, TrustBundleAckResult>,
    reply: sendUnaryData<TrustBundleAckResult>,
  ): void => {
    this.acknowledged.push(call.request);
    reply(null, {});
  };

  async #issue(spiffeId: SpiffeId, csr: string): Promise<string[]> {
    const { publicKeyDer } = parseCsr(csr);
    const { ttlMs } = this.#options;
    const { chain } = await this.authority.issue({
      spiffeId,
      publicKeyDer,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    });
    this.issued.push(spiffeId);
    return [...chain];
  }
}

/** A bundle as the server tells it. */
export function bundleMessage({ roots, crls, retiring, ...bundle }: TrustBundle): TrustBundleResponse {
  return { ...bundle, roots: [...roots], crls: [...crls], retiringAuthorities: [...retiring] };
}

/** A CA whose files are gone once it is open: it lives in memory. */
export async function newAuthority(): Promise<CertificateAuthority> {
  const directory = await mkdtemp(join(tmpdir(), "lateen-test-ca-"));
  try {
    return await testAuthority({ directory, trustDomain: TRUST_DOMAIN, database: openDatabase(":memory:") });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A certificate and its key for an identity, in PEM, leaf first and root last. */
export async function issueFor(
  authority: CertificateAuthority,
  spiffeId: SpiffeId,
  ttlMs?: number,
): Promise<{ readonly chain: readonly string[]; readonly keyPem: string }> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const { publicKeyDer } = parseCsr(createCsr(createPrivateKey(keyPem)));
  const { chain } = await authority.issue({
    spiffeId,
    publicKeyDer,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  });
  return { chain, keyPem };
}

function callerOf(der: Uint8Array | undefined): SpiffeId | undefined {
  if (der === undefined) return undefined;
  const verdict = verifyPeerSvid(der, TRUST_DOMAIN);
  return verdict.ok ? verdict.spiffeId : undefined;
}
