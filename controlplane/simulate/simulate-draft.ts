import { setImmediate } from "node:timers/promises";
import type { AuthzSimulationReply, SimulatedCalls } from "../../mesh/admin-api/observed-replies.ts";
import type { AuthzReply, DecidingObject, ExplainStep } from "../../mesh/admin-api/replies.ts";
import { type CountedCalls, REFUSED_TOKEN } from "../../mesh/calls/call-kind.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { HistoryOfWorkload } from "../observed/call-history.ts";
import type { CallTarget } from "../observed/call-target.ts";
import { toObservedCalls } from "../observed/observed-view.ts";
import type { MeshSnapshot } from "../snapshot/mesh-snapshot.ts";
import { by } from "../snapshot/text-order.ts";
import type { AuthzMesh } from "./authz.ts";
import { type AuthzQuestion, CalledWorkload, callerNamed } from "./authz-call.ts";
import type { HiddenParts, SeenToken } from "./hidden-parts.ts";

export interface DraftQuestion {
  readonly before: AuthzMesh;
  readonly after: AuthzMesh;
  /** Whether an object is another one in `after`, or is not there. */
  readonly isDrafted: (object: DecidingObject) => boolean;
  readonly history: readonly HistoryOfWorkload[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

type Change = "none" | "certain" | "possible";

/** Which of the calls that were seen a draft would change. Throws when the signal is aborted. */
export async function simulateDraft(question: DraftQuestion): Promise<Omit<AuthzSimulationReply, "since">> {
  const changes: SimulatedCalls[] = [];
  const undecided: SimulatedCalls[] = [];
  const compared = { kinds: 0, calls: 0, leftOut: 0 };
  for (const seen of question.history) {
    compared.leftOut += seen.leftOut;
    compared.kinds += seen.calls.length;
    compared.calls += seen.calls.reduce((sum, { count }) => sum + count, 0);
    const pair = pairOf(question, seen.workload);
    if (pair === "same") continue;
    for (const [index, calls] of seen.calls.entries()) {
      // There may be many, and the server has others to serve meanwhile.
      if (index % AT_ONCE === 0) await setImmediate(undefined, { signal: question.signal });
      const { change, simulated } = compare(question, seen.workload, calls, pair);
      if (change === "certain") changes.push(simulated);
      if (change === "possible") undecided.push(simulated);
    }
  }
  const told = { changes: mostFrequent(changes), undecided: mostFrequent(undecided) };
  const untold = changes.length + undecided.length - told.changes.length - told.undecided.length;
  return { ...told, untold, compared };
}

/** Calls that are decided without a pause: some milliseconds. */
const AT_ONCE = 20;
/** Kinds of calls that are told of each sort. */
const MOST_TOLD = 1_000;

interface Pair {
  readonly before: CalledWorkload | undefined;
  readonly after: CalledWorkload | undefined;
}

/** The workload that was called, or one that is like it where that is gone; `same`: nothing about it is another. */
function pairOf({ before, after }: DraftQuestion, workload: CallTarget): Pair | "same" {
  const id = standIn(before.snapshot, workload);
  if (id === undefined) return { before: undefined, after: undefined };
  const versions = listenerVersions(before, id);
  if (versions !== "" && versions === listenerVersions(after, id)) return "same";
  return {
    before: CalledWorkload.of(before.snapshot, before.translator, id),
    after: CalledWorkload.of(after.snapshot, after.translator, id),
  };
}

/** All that decides whether a call is let in is in the listeners. */
function listenerVersions({ translator }: AuthzMesh, id: WorkloadId): string {
  const listeners = [...(translator.preview(id)?.types.get(TYPE_URL.listener)?.values() ?? [])];
  return listeners
    .map(({ name, version }) => `${name} ${version}`)
    .sort()
    .join("\n");
}

function standIn({ workloads }: MeshSnapshot, workload: CallTarget): WorkloadId | undefined {
  const id = workloadId(workload);
  if (workloads.has(id)) return id;
  const labels = JSON.stringify(workload.labels);
  for (const [other, { namespace, service, labels: its }] of workloads) {
    const alike = namespace === workload.namespace && service === workload.service;
    if (alike && JSON.stringify(its) === labels) return other;
  }
  return undefined;
}

type Decision = SimulatedCalls["before"];

function compare(
  { isDrafted, nowMs }: DraftQuestion,
  workload: CallTarget,
  calls: CountedCalls,
  pair: Pair,
): { readonly change: Change; readonly simulated: SimulatedCalls } {
  const [before, after] = [pair.before, pair.after].map((one) => one && askAbout(one, calls, nowMs));
  const simulated = {
    calls: toObservedCalls(workload, calls),
    before: decisionOf(before, workload),
    after: decisionOf(after, workload),
  };
  return { change: changeOf(before, after, isDrafted), simulated };
}

function askAbout(workload: CalledWorkload, calls: CountedCalls, nowMs: number): AuthzReply | undefined {
  const caller = callerNamed(calls.source === "" ? "outside" : calls.source);
  return caller && workload.askAt(calls.port, caller, questionAbout(calls, nowMs));
}

function questionAbout(
  { protocol, method, host, path, precision, ...calls }: CountedCalls,
  nowMs: number,
): AuthzQuestion {
  const known = (text: string): "known" | "hidden" => (text === "" ? "hidden" : "known");
  const hidden: HiddenParts = {
    method: known(method),
    host: known(host),
    path: precision === "exact" ? "known" : precision === "start" ? "start" : "hidden",
    token: tokenOf(calls.issuer, precision),
  };
  const headers = host === "" ? [] : [["host", host] as const];
  return { port: undefined, protocol, method: method || "GET", path: path || "/", headers, nowMs, hidden };
}

function tokenOf(issuer: string, precision: CountedCalls["precision"]): SeenToken {
  if (precision === "rest") return { kind: "hidden" };
  if (issuer === REFUSED_TOKEN) return { kind: "refused" };
  return issuer === "" ? { kind: "none" } : { kind: "of", issuer };
}

function changeOf(
  before: AuthzReply | undefined,
  after: AuthzReply | undefined,
  isDrafted: DraftQuestion["isDrafted"],
): Change {
  if (before === undefined || after === undefined) return "possible";
  if (before.allowed !== null && after.allowed !== null) {
    return before.allowed === after.allowed ? "none" : "certain";
  }
  if (before.allowed !== after.allowed) return "possible";
  // What nobody knows is as it was, where the same policies ask for it.
  const asking = (reply: AuthzReply): string => JSON.stringify([reply.undecided, questionsIn(reply)]);
  const asked = questionsIn(after).flatMap(({ object }) => object ?? []);
  const isOther = [...after.undecided, ...asked].some(isDrafted) || asking(before) !== asking(after);
  return isOther ? "possible" : "none";
}

/** Authorizers that are asked. */
function questionsIn({ steps }: AuthzReply): readonly ExplainStep[] {
  return steps.filter(({ name }) => name === "CUSTOM");
}

const GONE: Decision = {
  allowed: null,
  status: null,
  reason: "no workload that is like the one that was called has this port now",
  decidedBy: null,
};

const AT_GATEWAY: Decision = {
  ...GONE,
  reason: "which server of the gateway takes the call, if any does, does not follow from what was seen of it",
};

function decisionOf(reply: AuthzReply | undefined, { role }: CallTarget): Decision {
  if (reply === undefined) return role === "gateway" ? AT_GATEWAY : GONE;
  const { allowed, status, reason, decidedBy } = reply;
  return { allowed, status, reason, decidedBy };
}

function mostFrequent(list: readonly SimulatedCalls[]): readonly SimulatedCalls[] {
  return list
    .toSorted(by(({ calls }) => `${calls.to} ${calls.from} ${calls.method} ${calls.path}`))
    .toSorted((a, b) => b.calls.count - a.calls.count)
    .slice(0, MOST_TOLD);
}
