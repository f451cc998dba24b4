import type { DecidingObject, ExplainReply, ExplainStep } from "../../mesh/admin-api/replies.ts";
import { BLACK_HOLE_CLUSTER } from "../../mesh/xds/names.ts";
import { type ServiceClient, serviceFor } from "../policy/services.ts";
import type { SnapshotView } from "../snapshot/snapshot-view.ts";
import { objectAt } from "../translate/config-metadata.ts";
import { policySteps } from "./explain-policies.ts";
import { step } from "./explain-step.ts";
import { ruleOfChain } from "./rule-of-chain.ts";
import { ruleOfRoute } from "./rule-of-route.ts";
import type { ForwardAction, Outcome, RequestEdits, Upstream, UpstreamEndpoint, Verdict } from "./verdict.ts";

/** A verdict as steps for people and programs: what was chosen at each, why, and the object that says so. */
export function explainSteps(
  verdict: Verdict,
  view: SnapshotView,
  client: ServiceClient,
): readonly ExplainStep[] {
  const { listener, filterChain, virtualHost } = verdict;
  const steps: ExplainStep[] = [];
  if (listener !== undefined) {
    const why = listener.via === undefined ? listener.why : `${listener.why}, handed on by ${listener.via}`;
    steps.push(step("listener", listener.name, why));
  }
  if (filterChain !== undefined) {
    const { name, index, why, unevaluated } = filterChain;
    const place = index === "default" ? "default" : `#${index}`;
    const object = chainObject(filterChain, view);
    steps.push(step("filter-chain", name === "" ? place : `${place} ${name}`, why, object));
    steps.push(
      ...unevaluated.map((filter) => step("edit", filter, "may refuse the call; not looked at here")),
    );
  }
  steps.push(...policySteps(verdict.policies));
  if (virtualHost !== undefined) {
    const { configuration, name, domain, host } = virtualHost;
    steps.push(
      step("virtual-host", name, `domain ${domain} takes ${host || "no host"}, in routes ${configuration}`),
    );
  }
  return [...steps, ...routeSteps(verdict, view), ...actionSteps(verdict, view, client)];
}

/** Of a chain that hands bytes on it is a VirtualService, and the rule is named; of others it is a Gateway, or nothing. */
function chainObject(
  { origin, chain }: NonNullable<Verdict["filterChain"]>,
  view: SnapshotView,
): DecidingObject | null {
  const object = objectAt(origin);
  if (object?.kind !== "VirtualService") return object;
  const decides = view.virtualServiceNamed(`${object.namespace}/${object.name}`);
  return decides === undefined
    ? object
    : { ...object, rule: ruleOfChain(decides, chain, view.settings.domainSuffix) };
}

function routeSteps({ route }: Verdict, view: SnapshotView): readonly ExplainStep[] {
  if (route === undefined) return [];
  const named = (name: string, index: number): string => (name === "" ? `#${index}` : `#${index} ${name}`);
  const whole = objectAt(route.origin);
  const rules = whole && view.virtualServiceNamed(`${whole.namespace}/${whole.name}`)?.spec.http;
  const object = objectAt(route.origin, rules ? ruleOfRoute(rules, route.route) : "");
  const share = route.share < 1 ? route.share : null;
  return [
    step("route", named(route.name, route.index), route.match, object, share),
    ...route.otherwise.map((one) =>
      step("route", named(one.name, one.index), "takes calls that the one before lets pass", null, one.share),
    ),
  ];
}

function actionSteps(
  { action, upstreams }: Verdict,
  view: SnapshotView,
  client: ServiceClient,
): readonly ExplainStep[] {
  switch (action?.kind) {
    case undefined:
      return [];
    case "redirect":
      return [step("answer", `redirect ${action.status}`, `to ${action.location}`)];
    case "respond":
      return [
        step("answer", `response ${action.status}`, action.body === "" ? "without a body" : action.body),
      ];
    case "forward":
      return [
        ...editSteps(action),
        ...upstreams.flatMap((upstream) => upstreamSteps(upstream, view, client, action)),
      ];
    default:
      return action satisfies never;
  }
}

function editSteps({ edits, hashOn }: ForwardAction): readonly ExplainStep[] {
  const hashed = hashOn.map((what) => step("edit", "hash", `the endpoint is chosen by ${what}`));
  return edits === undefined ? hashed : [...httpEdits(edits), ...hashed];
}

function httpEdits(edits: RequestEdits): readonly ExplainStep[] {
  const { path, authority, requestHeaders, responseHeaders, timeoutMs, retries, fault, mirrors } = edits;
  const each = retries?.perTryTimeoutMs === undefined ? "" : `, each within ${retries.perTryTimeoutMs} ms`;
  return [
    step("edit", "request", `goes on as ${authority} ${path}`),
    ...requestHeaders.map((text) => step("edit", "request header", text)),
    ...responseHeaders.map((text) => step("edit", "response header", text)),
    step("edit", "timeout", timeoutMs === undefined ? "none" : `${timeoutMs} ms`),
    ...(retries === undefined
      ? []
      : [step("edit", "retries", `up to ${retries.attempts} on ${retries.on}${each}`)]),
    ...(fault?.delay === undefined
      ? []
      : [step("edit", "fault", `delayed by ${fault.delay.ms} ms`, null, fault.delay.share)]),
    ...(fault?.abort === undefined
      ? []
      : [step("edit", "fault", `answered with ${fault.abort.status}`, null, fault.abort.share)]),
    ...mirrors.map(({ cluster, share }) => step("edit", "mirror", `a copy goes to ${cluster}`, null, share)),
  ];
}

function upstreamSteps(
  upstream: Upstream,
  view: SnapshotView,
  client: ServiceClient,
  { targets }: ForwardAction,
): readonly ExplainStep[] {
  const { cluster, share, discovery, balancer, error, origin, endpoints } = upstream;
  const edits = targets.find((target) => target.cluster === cluster)?.edits ?? [];
  const why = error?.reason ?? `${discovery}, ${balancer}${entryText(cluster, view, client)}`;
  const subset = /^outbound[|_]\.?\d+[|_]\.?([^|]*)[|_]/.exec(cluster)?.[1] ?? "";
  const object = objectAt(origin, subset === "" ? "" : `subset ${JSON.stringify(subset)}`);
  return [
    step("cluster", cluster || "(none named)", why, object, share),
    ...edits.map((text) => step("edit", "header", text)),
    ...endpoints.map(endpointStep),
  ];
}

/** Says that a host comes from a ServiceEntry, and which, where its endpoints tell. */
function entryText(cluster: string, view: SnapshotView, client: ServiceClient): string {
  if (cluster === BLACK_HOLE_CLUSTER) return "";
  const service = serviceFor(view, cluster.split("|")[3] ?? "", client);
  if (service?.source !== "ServiceEntry") return "";
  const ids = view.endpoints(service.key).map(({ id }) => /^ServiceEntry\/([^/]+\/[^/]+)\//.exec(id)?.[1]);
  const entry = ids.find((id) => id !== undefined);
  return entry === undefined
    ? `; a ServiceEntry of namespace ${service.namespace}`
    : `; ServiceEntry ${entry}`;
}

function endpointStep({
  address,
  priority,
  locality,
  weight,
  healthy,
  share,
  transport,
}: UpstreamEndpoint): ExplainStep {
  const { kind, match, sni } = transport;
  const parts = [
    `priority ${priority}`,
    ...(locality === "" ? [] : [locality]),
    `weight ${weight}`,
    healthy ? "healthy" : "unhealthy",
    `${kind === "tls" ? `TLS${sni === "" ? "" : ` to ${sni}`}` : kind}${match === "" ? "" : ` (${match})`}`,
  ];
  return step("endpoint", address, parts.join(", "), null, share);
}

export function outcomeReply(outcome: Outcome): ExplainReply["outcome"] {
  switch (outcome.kind) {
    case "forward": {
      const part = outcome.share < 1 ? `${percent(outcome.share)} of the calls arrive` : "the call arrives";
      return { arrives: true, kind: outcome.kind, status: null, text: part };
    }
    case "passthrough":
      return {
        arrives: true,
        kind: outcome.kind,
        status: null,
        text: `passes through to ${outcome.address}`,
      };
    case "redirect":
      return {
        arrives: true,
        kind: outcome.kind,
        status: outcome.status,
        text: `is redirected to ${outcome.location}`,
      };
    case "respond": {
      // Istio's `block_all` is an answer of the proxy too.
      const { kind, status } = outcome;
      return { arrives: status < 400, kind, status, text: `the proxy answers ${status}` };
    }
    case "error": {
      const { kind, status = null, reason } = outcome.error;
      const text = status === null ? reason : `${status}: ${reason}`;
      return { arrives: false, kind, status, text };
    }
    default:
      return outcome satisfies never;
  }
}

/** `33 %`, `0.1 %`. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
