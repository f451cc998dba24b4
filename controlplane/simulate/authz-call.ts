import type { AuthzReply, DecidingObject, ExplainStep } from "../../mesh/admin-api/replies.ts";
import type { WorkloadId } from "../../mesh/model/workload.ts";
import { CLIENT_ALPN, listenerName, VIRTUAL_INBOUND } from "../../mesh/xds/names.ts";
import { workloadSpiffeId } from "../snapshot/identities.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { type InboundPort, inboundPorts } from "../translate/inbound/inbound-port.ts";
import { isHttp } from "../translate/protocols.ts";
import type { Translator } from "../translate/translator.ts";
import { type Call, PLAIN_CALL } from "./call.ts";
import { policyNamed, policySteps } from "./explain-policies.ts";
import { gatewayCall, isTaken } from "./gateway-call.ts";
import type { HiddenParts } from "./hidden-parts.ts";
import { simulate } from "./simulate.ts";
import type { FailureKind, PolicyStep, Verdict } from "./verdict.ts";
import { decodeXdsConfig, type XdsConfig } from "./xds-config.ts";

/** A call to a workload that somebody asks about. */
export interface AuthzQuestion {
  /** Service port; undefined: the lowest. */
  readonly port: number | undefined;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Milliseconds since the epoch: tokens are looked at as of then. */
  readonly nowMs: number;
  /** Undefined: what the port says of itself. */
  readonly protocol?: "http" | "tcp";
  /** Of a call that was only seen from afar. */
  readonly hidden?: HiddenParts;
}

export interface AuthzCaller {
  readonly name: string;
  /** SPIFFE ID; undefined: it has none, so it speaks plain text. */
  readonly principal: string | undefined;
  readonly address: string;
}

/** Somebody of whom no more is known (RFC 5737, for documentation). */
const SOME_ADDRESS = "192.0.2.1";
const MESH_ALPN = { http: CLIENT_ALPN.http1, tcp: CLIENT_ALPN.tcp } as const;

/** Somebody who is no workload: `outside` has no identity, anything else is a SPIFFE ID. */
export function callerNamed(text: string): AuthzCaller | undefined {
  if (text === "outside") return { name: text, principal: undefined, address: SOME_ADDRESS };
  return text.startsWith("spiffe://") ? { name: text, principal: text, address: SOME_ADDRESS } : undefined;
}

export function callerOf({ workloads, settings }: MeshSnapshot, id: WorkloadId): AuthzCaller | undefined {
  const workload = workloads.get(id);
  if (workload === undefined) return undefined;
  const { namespace, serviceAccount, ports } = workload;
  const hasIdentity = serviceAccount !== undefined && serviceAccount !== "";
  return {
    name: id,
    principal: hasIdentity ? workloadSpiffeId(settings.trustDomain, namespace, serviceAccount) : undefined,
    address: ports[0]?.inbound.address ?? SOME_ADDRESS,
  };
}

/** A workload as its callers meet it: made once, asked for many of them. */
export class CalledWorkload {
  readonly id: WorkloadId;
  readonly #config: XdsConfig;
  readonly #isGateway: boolean;
  readonly #ports: readonly InboundPort[];

  private constructor(id: WorkloadId, config: XdsConfig, ports: readonly InboundPort[], isGateway: boolean) {
    this.id = id;
    this.#config = config;
    this.#ports = ports;
    this.#isGateway = isGateway;
  }

  /** Undefined: there is no such workload, or nothing came of its translation. */
  static of(
    snapshot: MeshSnapshot,
    translator: Pick<Translator, "preview">,
    id: WorkloadId,
  ): CalledWorkload | undefined {
    const workload = snapshot.workloads.get(id);
    const types = translator.preview(id)?.types;
    if (workload === undefined || types === undefined) return undefined;
    const isGateway = workload.role === "gateway";
    const ports = isGateway ? [] : inboundPorts(viewOf(snapshot), workload);
    return new CalledWorkload(id, decodeXdsConfig(types), ports, isGateway);
  }

  /** A call that came in at a port of its proxy. Undefined: nothing is known of that port. */
  askAt(proxyPort: number, caller: AuthzCaller, question: AuthzQuestion): AuthzReply | undefined {
    if (this.#isGateway) return this.#askGateway(proxyPort, caller, question);
    const port = this.#ports.find(({ bind }) => bind.port === proxyPort)?.number;
    return port === undefined ? undefined : this.ask(caller, { ...question, port });
  }

  /** Undefined: the workload has no such port. */
  ask(caller: AuthzCaller, question: AuthzQuestion): AuthzReply | undefined {
    const port = this.#ports.find(({ number }) => number === (question.port ?? number));
    if (port === undefined) return undefined;
    const verdict = simulate(this.#config, this.#callAt(port, caller, question), { nowMs: question.nowMs });
    return this.#reply(caller, port.number, verdict, verdict.outcome);
  }

  #askGateway(port: number, caller: AuthzCaller, question: AuthzQuestion): AuthzReply | undefined {
    const call = gatewayCall(this.#config, port, caller, question);
    const verdict = call && simulate(this.#config, call, { nowMs: question.nowMs });
    if (verdict === undefined || !isTaken(verdict)) return undefined;
    const { outcome } = verdict;
    // That no route or nobody behind it is there is no refusal.
    const isRefused = outcome.kind === "error" && REFUSALS.has(outcome.error.kind);
    return this.#reply(caller, port, verdict, isRefused ? outcome : undefined);
  }

  #reply(
    caller: AuthzCaller,
    port: number,
    { policies }: Verdict,
    outcome: Verdict["outcome"] | undefined,
  ): AuthzReply {
    const steps = policySteps(policies);
    return {
      from: caller.name,
      principal: caller.principal ?? null,
      to: this.id,
      port,
      steps,
      undecided: policies.flatMap(undecidedOf),
      ...outcomeOf(policies, outcome, steps),
    };
  }

  #callAt(port: InboundPort, { principal, address }: AuthzCaller, question: AuthzQuestion): Call {
    const protocol = question.protocol ?? (isHttp(port.protocol) ? "http" : "tcp");
    const { method, path, headers } = question;
    const [, host = "server"] = headers.find(([name]) => name.toLowerCase() === "host") ?? [];
    // A peer of the mesh speaks mutual TLS wherever it is taken.
    const secure = principal !== undefined && this.#takesTls(port);
    return {
      ...PLAIN_CALL,
      address: port.bind.address,
      port: port.bind.port,
      protocol,
      tls: secure ? { sni: "", alpn: MESH_ALPN[protocol] } : undefined,
      method,
      host,
      path,
      headers,
      source: { address, port: undefined, principal: secure ? principal : undefined },
      direction: "inbound",
      hidden: question.hidden,
    };
  }

  #takesTls({ bind }: InboundPort): boolean {
    const { listeners } = this.#config;
    const listener =
      listeners.get(listenerName(bind.address, bind.port)) ?? listeners.get(VIRTUAL_INBOUND.name);
    return listener?.filterChains.some(({ transportSocket }) => transportSocket !== undefined) ?? false;
  }
}

type Decision = Pick<AuthzReply, "allowed" | "status" | "reason" | "decidedBy">;

const REFUSALS: ReadonlySet<FailureKind> = new Set(["denied", "unauthenticated"]);

/** Without an outcome only what policies say counts. */
function outcomeOf(
  policies: Verdict["policies"],
  outcome: Verdict["outcome"] | undefined,
  steps: readonly ExplainStep[],
): Decision {
  const refused = outcome?.kind === "error" ? outcome.error : undefined;
  // What the last policy says decides; a call that comes to none is refused by what is before them.
  const decidedBy = steps.at(-1)?.object ?? null;
  if (refused?.kind === "denied" || refused?.kind === "unauthenticated") {
    return { allowed: false, status: refused.status ?? null, reason: refused.reason, decidedBy };
  }
  if (refused !== undefined && steps.length === 0) {
    return { allowed: false, status: refused.status ?? null, reason: refused.reason, decidedBy: null };
  }
  if (policies.some(({ kind }) => kind === "question")) {
    const reason = "no policy refuses it; an authorizer is asked, and may";
    return { allowed: null, status: null, reason, decidedBy: null };
  }
  const [hidden] = policies.flatMap(undecidedOf);
  if (hidden !== undefined) {
    const reason = "a policy asks for what is not known of the call";
    return { allowed: null, status: null, reason, decidedBy: hidden };
  }
  const reason = steps.length === 0 ? "no policy is for it" : "no policy refuses it";
  return { allowed: true, status: null, reason, decidedBy };
}

function undecidedOf(step: PolicyStep): readonly DecidingObject[] {
  if (step.kind !== "authorization" || step.shadow || step.action === "LOG") return [];
  return step.undecided.flatMap((name) => policyNamed(name) ?? []);
}
