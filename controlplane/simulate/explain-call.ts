import type { ExplainReply } from "../../mesh/admin-api/replies.ts";
import { workloadId } from "../../mesh/model/workload.ts";
import { serviceClient } from "../policy/client.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import type { NodeResources } from "../xds/config-source.ts";
import { hostPort } from "./addresses.ts";
import type { CallQuestion } from "./call-question.ts";
import { explainSteps, outcomeReply } from "./explain.ts";
import { parseTarget } from "./explain-target.ts";
import { simulate } from "./simulate.ts";
import { failure } from "./verdict.ts";
import { type ExplainedWorkload, wayIn } from "./way-in.ts";
import { decodeXdsConfig } from "./xds-config.ts";

export interface ExplainParts {
  /** What the workload's proxy has, or would have if it asked for these virtual hosts and clusters. */
  readonly resources: (asked: readonly string[]) => NodeResources["types"];
  readonly view: SnapshotView;
  readonly workload: ExplainedWorkload;
  readonly request: CallQuestion;
}

/** How a workload's call would fare. Throws `admin.request` for a URL that nobody can call. */
export function explainCall({ resources, view, workload, request }: ExplainParts): ExplainReply {
  const target = parseTarget(request.to);
  const config = decodeXdsConfig(resources([]));
  const way = wayIn(config, view, workload, { target, method: request.method, headers: request.headers });
  const isHttp = target.scheme !== "tcp" && target.scheme !== "tls";
  const asked = {
    from: workloadId(workload),
    to: isHttp ? `${way.kind === "found" ? way.call.method : request.method} ${request.to}` : request.to,
  };
  if (way.kind === "none") {
    const error = failure("no-listener", way.reason);
    return { ...asked, steps: [], outcome: outcomeReply({ kind: "error", error }), notes: [] };
  }
  const { call, why } = way;
  const first = simulate(config, call);
  const { asksFor } = first;
  const verdict = asksFor.length === 0 ? first : simulate(decodeXdsConfig(resources(asksFor)), call);
  const connect = {
    step: "connect",
    name: hostPort(call.address, call.port),
    why,
    object: null,
    share: null,
  } as const;
  return {
    ...asked,
    steps: [connect, ...explainSteps(verdict, view, serviceClient(view, workload))],
    outcome: outcomeReply(verdict.outcome),
    notes: asksFor.map((name) => `the proxy asks for ${name} when it is called (discovery: on-demand)`),
  };
}
