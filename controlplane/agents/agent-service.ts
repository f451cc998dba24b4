import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { MeshError } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { type Workload, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type {
  JoinRequest,
  JoinResponse,
  ReportResult,
  TrustBundleRequest,
  TrustBundleResponse,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { admitWorkload } from "../attest/admit-workload.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import type { AgentJoin } from "../attest/join-agent.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import { messagesOf, peerAddress, send, streaming, unary } from "./calls.ts";
import { parseWorkloadReport, type RefusedWorkload } from "./parse-workload-report.ts";
import type { AgentAuthenticator } from "./peer.ts";
import type { Placements } from "./placements.ts";

export interface AgentServiceDeps {
  readonly ca: CertificateAuthority;
  readonly join: Pick<AgentJoin, "join">;
  readonly authenticator: AgentAuthenticator;
  readonly placements: Placements;
  /** What is said of a workload's data plane: worker threads, where anything is. */
  readonly concurrencyOf: (workload: Workload) => number | undefined;
  readonly log: Logger;
  /** Ends the streams when the server stops. */
  readonly signal: AbortSignal;
}

/** Whoever decides on a proof (Nomad, Consul, an issuer of keys) has answered by then. */
const JOIN_LIMIT_MS = 8_000;

type RegisterCall = ServerDuplexStream<WorkloadReport, ReportResult>;
type BundleCall = ServerWritableStream<TrustBundleRequest, TrustBundleResponse>;

/** The handlers of `agentService` (mesh/agent-api/services.ts). */
export function agentServiceHandlers(deps: AgentServiceDeps): AgentServiceHandlers {
  const { log, signal } = deps;
  const registrations = new Registrations(deps);
  return {
    join: unary<JoinRequest, JoinResponse>(log, async (call) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(JOIN_LIMIT_MS)]);
      const answer = await deps.join.join({ ...call.request, peerAddress: peerAddress(call) }, limit);
      const { trustDomain } = deps.ca.bundle;
      if (answer.kind === "challenged") {
        return { certChain: [], agentId: "", trustDomain, challenge: answer.challenge };
      }
      const { agentId, certificate } = answer;
      return { certChain: [...certificate.chain], agentId, trustDomain, challenge: Buffer.alloc(0) };
    }),
    register: streaming<RegisterCall>(log, signal, (call, gone) => registrations.serve(call, gone)),
    watchTrustBundle: streaming<BundleCall>(log, signal, async (call, gone) => {
      deps.authenticator.authenticate(call);
      await sendBundles(call, deps.ca, gone);
    }),
  };
}

export interface AgentServiceHandlers {
  readonly join: ReturnType<typeof unary<JoinRequest, JoinResponse>>;
  readonly register: (call: RegisterCall) => void;
  readonly watchTrustBundle: (call: BundleCall) => void;
}

/** The Register streams: one an agent, the newest. */
class Registrations {
  readonly #deps: AgentServiceDeps;
  readonly #streams = new Map<string, AbortController>();

  constructor(deps: AgentServiceDeps) {
    this.#deps = deps;
  }

  async serve(call: RegisterCall, gone: AbortSignal): Promise<void> {
    const { id } = this.#deps.authenticator.authenticate(call);
    const replaced = new AbortController();
    this.#streams.get(id)?.abort();
    this.#streams.set(id, replaced);
    const live = this.#deps.placements.connect(id);
    try {
      const signal = AbortSignal.any([gone, replaced.signal]);
      for await (const report of messagesOf(call, signal)) {
        await send(call, this.#accept(this.#deps.authenticator.authenticate(call), report), signal);
      }
    } catch (error) {
      if (!replaced.signal.aborted) throw error;
      throw new MeshError(
        "object.conflict",
        `register the workloads of the agent ${id}: it opened a newer stream`,
      );
    } finally {
      live[Symbol.dispose]();
      if (this.#streams.get(id) === replaced) this.#streams.delete(id);
    }
  }

  #accept(agent: AgentRecord, report: WorkloadReport): ReportResult {
    const { placements, concurrencyOf, log } = this.#deps;
    const parsed = parseWorkloadReport(report);
    const refusals: RefusedWorkload[] = [...parsed.refusals];
    const admitted: Workload[] = [];
    for (const workload of parsed.workloads) {
      const admission = admitWorkload(agent, workload);
      if (admission.ok) admitted.push(workload);
      else refusals.push({ workload: workloadId(workload), reason: admission.reason });
    }
    refusals.push(...placements.replace(agent.id, admitted));
    log.debug("workloads registered", { agentId: agent.id, workloads: admitted.length });
    for (const refusal of refusals) log.warn("workload refused", { agentId: agent.id, ...refusal });
    const settings = admitted.flatMap((workload) => {
      const concurrency = concurrencyOf(workload);
      return concurrency === undefined ? [] : [{ workload: workloadId(workload), concurrency }];
    });
    return { sequence: parsed.sequence, refusals, settings };
  }
}

/** The bundle as it is, then each newer one; a caller that is slow gets the newest, not all. */
async function sendBundles(call: BundleCall, ca: CertificateAuthority, signal: AbortSignal): Promise<void> {
  let changed = Promise.withResolvers<void>();
  ca.onBundleChange(() => changed.resolve(), signal);
  signal.addEventListener("abort", () => changed.resolve(), { once: true });
  while (!signal.aborted) {
    await send(call, toResponse(ca.bundle), signal);
    await changed.promise;
    changed = Promise.withResolvers<void>();
  }
}

function toResponse({ trustDomain, roots, sequence }: TrustBundle): TrustBundleResponse {
  return { trustDomain, roots: [...roots], sequence };
}
