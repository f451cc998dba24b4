import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type Workload, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type {
  CallReport,
  CallReportResult,
  JoinRequest,
  JoinResponse,
  ReportResult,
  TrustBundleAck,
  TrustBundleAckResult,
  TrustBundleRequest,
  TrustBundleResponse,
  WorkloadReport,
} from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";
import { admitWorkload } from "../attest/admit-workload.ts";
import type { AgentRecord } from "../attest/agent-records.ts";
import type { AgentJoin } from "../attest/join-agent.ts";
import type { Bans, BanTarget } from "../ca/bans.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { CallHistory } from "../observed/call-history.ts";
import { acceptCalls } from "./accept-calls.ts";
import type { AgentBundles } from "./agent-bundles.ts";
import type { AgentStreams } from "./agent-streams.ts";
import { messagesOf, peerAddress, send, streaming, unary } from "./calls.ts";
import { parseWorkloadReport, type RefusedWorkload } from "./parse-workload-report.ts";
import type { AgentAuthenticator } from "./peer.ts";
import type { Placements } from "./placements.ts";

export interface AgentServiceDeps {
  readonly ca: CertificateAuthority;
  readonly join: Pick<AgentJoin, "join">;
  readonly authenticator: AgentAuthenticator;
  readonly placements: Placements;
  readonly bans: Pick<Bans, "has" | "onChange">;
  readonly bundles: AgentBundles;
  readonly streams: AgentStreams;
  readonly history: Pick<CallHistory, "add">;
  readonly clock: Pick<Clock, "now">;
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
  deps.bans.onChange((target) => registrations.judgeAgain(target), signal);
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
    reportCalls: unary<CallReport, CallReportResult>(log, async (call) =>
      acceptCalls(deps.authenticator.authenticate(call), call.request, deps),
    ),
    watchTrustBundle: streaming<BundleCall>(log, signal, async (call, gone) => {
      const { id } = deps.authenticator.authenticate(call);
      using stream = deps.streams.open(id);
      using _ = deps.bundles.connect(id);
      await sendBundles(call, deps.ca, AbortSignal.any([gone, stream.signal]));
    }),
    acknowledgeTrustBundle: unary<TrustBundleAck, TrustBundleAckResult>(log, async (call) => {
      deps.bundles.acknowledge(deps.authenticator.authenticate(call).id, call.request);
      return {};
    }),
  };
}

export interface AgentServiceHandlers {
  readonly join: ReturnType<typeof unary<JoinRequest, JoinResponse>>;
  readonly register: (call: RegisterCall) => void;
  readonly reportCalls: ReturnType<typeof unary<CallReport, CallReportResult>>;
  readonly watchTrustBundle: (call: BundleCall) => void;
  readonly acknowledgeTrustBundle: ReturnType<typeof unary<TrustBundleAck, TrustBundleAckResult>>;
}

/** An open stream, and what it reported last. */
interface OpenRegistration {
  readonly replaced: AbortController;
  readonly call: RegisterCall;
  report: WorkloadReport | undefined;
}

/** The Register streams: one an agent, the newest. */
class Registrations {
  readonly #deps: AgentServiceDeps;
  readonly #streams = new Map<string, OpenRegistration>();

  constructor(deps: AgentServiceDeps) {
    this.#deps = deps;
  }

  async serve(call: RegisterCall, gone: AbortSignal): Promise<void> {
    const { id } = this.#deps.authenticator.authenticate(call);
    const replaced = new AbortController();
    const open: OpenRegistration = { replaced, call, report: undefined };
    this.#streams.get(id)?.replaced.abort();
    this.#streams.set(id, open);
    const live = this.#deps.placements.connect(id);
    using stream = this.#deps.streams.open(id);
    try {
      const signal = AbortSignal.any([gone, replaced.signal, stream.signal]);
      for await (const report of messagesOf(call, signal)) {
        open.report = report;
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
      if (this.#streams.get(id) === open) this.#streams.delete(id);
    }
  }

  /** Answers once more those who report a workload of an identity that was banned, or is no more. */
  judgeAgain({ kind, value }: BanTarget): void {
    if (kind !== "identity") return;
    for (const { call, report } of this.#streams.values()) {
      if (!report?.workloads.some((workload) => this.#identityOf(workload) === value)) continue;
      try {
        call.write(this.#accept(this.#deps.authenticator.authenticate(call), report));
      } catch (error) {
        this.#deps.log.warn("workloads not judged again", { reason: messageOf(error) });
      }
    }
  }

  #identityOf({ namespace, serviceAccount }: Pick<Workload, "namespace" | "serviceAccount">): string {
    return `spiffe://${this.#deps.ca.bundle.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  #accept(agent: AgentRecord, report: WorkloadReport): ReportResult {
    const { bans, placements, concurrencyOf, log } = this.#deps;
    const parsed = parseWorkloadReport(report);
    const refusals: RefusedWorkload[] = [...parsed.refusals];
    const admitted: Workload[] = [];
    for (const workload of parsed.workloads) {
      const admission = admitWorkload(agent, workload);
      const identity = this.#identityOf(workload);
      const banned = bans.has({ kind: "identity", value: identity });
      // It stays placed, so that it is known whose endpoint is not to be called.
      if (admission.ok) admitted.push(workload);
      if (!admission.ok) refusals.push({ workload: workloadId(workload), reason: admission.reason });
      else if (banned) {
        refusals.push({ workload: workloadId(workload), reason: `its identity ${identity} is banned` });
      }
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

function toResponse({ roots, crls, retiring, ...bundle }: TrustBundle): TrustBundleResponse {
  return { ...bundle, roots: [...roots], crls: [...crls], retiringAuthorities: [...retiring] };
}
