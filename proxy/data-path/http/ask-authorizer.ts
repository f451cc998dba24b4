import type { CheckedBody, ExtAuthz, HttpAuthorization } from "../../model/ext-authz.ts";
import type { StringMatch } from "../../model/match.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { compileString } from "../../tables/matchers.ts";
import { compileMetadata } from "../../tables/metadata.ts";
import type { PolicyRecord } from "../../telemetry/records.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import { askOverGrpc } from "./ask-grpc-authorizer.ts";
import { type Answer, askOnce } from "./ask-once.ts";
import type { Exchange } from "./exchange.ts";
import { type Beginning, HeldBody } from "./held-body.ts";
import type { LocalReply } from "./local-reply.ts";

type AuthorizerAnswer =
  | { readonly kind: "passed"; readonly routeAgain: boolean }
  | { readonly kind: "refused"; readonly reply: LocalReply };

export type AuthorizerQuestion = (exchange: Exchange, accepted: AcceptedRequest) => Promise<AuthorizerAnswer>;

/** A denial's text goes to the caller, so it is bounded. */
const LARGEST_DENIAL_BYTES = 64 * 1024;

/** Always part of a question, and of a denial (Envoy). */
const ALWAYS_ASKED = new Set(["authorization"]);
const ALWAYS_TOLD = new Set(["www-authenticate", "location"]);
/** Made anew for every message. */
const NEVER_TOLD = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "date",
  "host",
]);

/** Tells the authorizer whether it sees the whole body (Envoy). */
const PARTIAL_BODY = "x-envoy-auth-partial-body";

const TOO_LONG = {
  kind: "refused",
  reply: { status: 413, body: "Payload Too Large", details: "request_payload_too_large" },
} as const;

const PASSED = { kind: "passed", routeAgain: false } as const;

/** Asks an authorizer, and goes by its answer or by there being none. */
export function compileQuestion(model: ExtAuthz): AuthorizerQuestion {
  const isAskedAbout = model.enabledFor && compileMetadata(model.enabledFor);
  const { service } = model;
  const ask = compileService(service, model.body);
  return async (exchange, accepted) => {
    if (isAskedAbout?.(accepted.facts) === false) return PASSED;
    const beginning = model.body && (await beginningOf(exchange, model.body));
    // Who is gone hears nothing of this any more.
    if (exchange.over || (beginning && !beginning.isWhole && !model.body?.partial)) return TOO_LONG;
    const answer = await ask(exchange, accepted, beginning);
    const tell = (authorizer: "refused" | "silent"): void => {
      const { enabledFor } = model;
      const policy = enabledFor && accepted.facts.metadata.get(enabledFor.filter, enabledFor.path);
      if (typeof policy === "string") tellRefusal(exchange, accepted, { policy, authorizer });
    };
    if (answer === undefined) {
      if (model.failOpen) return PASSED;
      if (!exchange.gone.aborted) tell("silent");
      const reply = { status: model.statusOnError, flag: "UAEX", details: "ext_authz_error" } as const;
      return { kind: "refused", reply };
    }
    if (answer.kind === "denied") {
      tell("refused");
      return { kind: "refused", reply: answer.reply };
    }
    return { kind: "passed", routeAgain: model.clearsRoute };
  };
}

/** Undefined: the request has none, or what follows is no body but another protocol. */
async function beginningOf(exchange: Exchange, { maxBytes }: CheckedBody): Promise<Beginning | undefined> {
  if (exchange.head.body.kind === "none" || exchange.upgrade !== undefined) return undefined;
  const held = new HeldBody(exchange.body, maxBytes);
  exchange.body = held;
  const beginning = await held.beginning();
  if (beginning?.isWhole) exchange.takenWhole();
  return beginning;
}

function tellRefusal(
  { deps, connection: { ends } }: Exchange,
  { facts: { method, path } }: AcceptedRequest,
  said: Required<Pick<PolicyRecord, "policy" | "authorizer">>,
): void {
  const verdict = { action: "DENY", shadow: false, allowed: false, matched: true } as const;
  deps.observer.policyMatched({ ...verdict, ...said, ends, method, path });
}

export type Asked = { readonly kind: "allowed" } | { readonly kind: "denied"; readonly reply: LocalReply };

/** Undefined: there is no answer. */
type Ask = (
  exchange: Exchange,
  accepted: AcceptedRequest,
  beginning: Beginning | undefined,
) => Promise<Asked | undefined>;

function compileService(service: ExtAuthz["service"], body: CheckedBody | undefined): Ask {
  if (service.kind === "http") return compileHttp(service);
  return async (exchange, accepted, beginning) =>
    await askOverGrpc(
      exchange,
      accepted,
      service,
      beginning && { ...beginning, asBytes: body?.asBytes ?? false },
    );
}

/** 200 lets the request pass, 5xx is no answer, everything else is what the caller gets. */
function compileHttp(service: HttpAuthorization): Ask {
  const inCheck = anyOf(service.inCheck);
  const toUpstream = anyOf(service.toUpstreamOnAllow);
  const onAllow = anyOf(service.toDownstreamOnAllow);
  const onDeny = service.toDownstreamOnDeny.length === 0 ? () => true : anyOf(service.toDownstreamOnDeny);
  return async (exchange, accepted, beginning) => {
    const answer = await question(exchange, accepted, service, { inCheck, beginning });
    if (answer === undefined) return undefined;
    const { status, headers, body } = answer;
    if (status === 200) {
      for (const [name, value] of entriesOf(headers)) {
        if (toUpstream(name)) accepted.headers.set(name, value);
        if (onAllow(name)) exchange.addToAnswer([{ name, value, action: "append" }]);
      }
      return { kind: "allowed" };
    }
    if (status < 200 || status >= 500) return undefined;
    headers.keep((name) => !NEVER_TOLD.has(name) && (ALWAYS_TOLD.has(name) || onDeny(name)));
    return { kind: "denied", reply: { status, headers, body, flag: "UAEX", details: "ext_authz_denied" } };
  };
}

async function question(
  exchange: Exchange,
  { facts, headers }: AcceptedRequest,
  { cluster: name, pathPrefix, additional, timeoutMs }: HttpAuthorization,
  { inCheck, beginning }: { inCheck: (name: string) => boolean; beginning: Beginning | undefined },
): Promise<Answer | undefined> {
  const { deps, connection } = exchange;
  const cluster = deps.tables.cluster(name);
  const host = cluster?.pick(deps.random);
  if (cluster === undefined || host === undefined) return undefined;
  const asked = headers.clone();
  asked.keep((header) => ALWAYS_ASKED.has(header) || (!NEVER_TOLD.has(header) && inCheck(header)));
  for (const [header, value] of additional) asked.set(header, value);
  if (beginning) asked.set(PARTIAL_BODY, String(!beginning.isWhole));
  return await askOnce({
    pool: host.pool(cluster.variantOf(host, facts.authority, connection.facts)),
    head: {
      method: facts.method,
      target: pathPrefix + facts.path + facts.query,
      authority: facts.authority,
      scheme: undefined,
      upgrade: undefined,
      headers: asked,
      body: beginning ? { kind: "sized", bytes: beginning.bytes.length } : { kind: "none" },
      expectsContinue: false,
    },
    ...(beginning && { body: beginning.bytes }),
    alarms: deps.alarms,
    timeoutMs,
    mostBytes: LARGEST_DENIAL_BYTES,
    gone: exchange.gone,
  });
}

function entriesOf(headers: HeaderList): readonly (readonly [string, string])[] {
  return [...new Set(headers.names())].map((name) => [name, headers.get(name) ?? ""]);
}

function anyOf(patterns: readonly StringMatch[]): (name: string) => boolean {
  const tests = patterns.map(compileString);
  return (name) => tests.some((test) => test(name));
}
