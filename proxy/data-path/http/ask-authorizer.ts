import type { ExtAuthz, HttpAuthorization } from "../../model/ext-authz.ts";
import type { StringMatch } from "../../model/match.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import { compileString } from "../../tables/matchers.ts";
import { compileMetadata } from "../../tables/metadata.ts";
import type { PolicyRecord } from "../../telemetry/records.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import { askOverGrpc } from "./ask-grpc-authorizer.ts";
import { type Answer, askOnce } from "./ask-once.ts";
import type { Exchange } from "./exchange.ts";
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

const PASSED = { kind: "passed", routeAgain: false } as const;

/** Asks an authorizer, and goes by its answer or by there being none. */
export function compileQuestion(model: ExtAuthz): AuthorizerQuestion {
  const isAskedAbout = model.enabledFor && compileMetadata(model.enabledFor);
  const { service } = model;
  const ask = service && compileService(service);
  return async (exchange, accepted) => {
    if (isAskedAbout?.(accepted.facts) === false) return PASSED;
    const answer = await ask?.(exchange, accepted);
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
type Ask = (exchange: Exchange, accepted: AcceptedRequest) => Promise<Asked | undefined>;

function compileService(service: NonNullable<ExtAuthz["service"]>): Ask {
  if (service.kind === "http") return compileHttp(service);
  return async (exchange, accepted) => await askOverGrpc(exchange, accepted, service);
}

/** 200 lets the request pass, 5xx is no answer, everything else is what the caller gets. */
function compileHttp(service: HttpAuthorization): Ask {
  const inCheck = anyOf(service.inCheck);
  const toUpstream = anyOf(service.toUpstreamOnAllow);
  const onAllow = anyOf(service.toDownstreamOnAllow);
  const onDeny = service.toDownstreamOnDeny.length === 0 ? () => true : anyOf(service.toDownstreamOnDeny);
  return async (exchange, accepted) => {
    const answer = await question(exchange, accepted, service, inCheck);
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
  inCheck: (name: string) => boolean,
): Promise<Answer | undefined> {
  const { deps, connection } = exchange;
  const cluster = deps.tables.cluster(name);
  const host = cluster?.pick(deps.random);
  if (cluster === undefined || host === undefined) return undefined;
  const asked = headers.clone();
  asked.keep((header) => ALWAYS_ASKED.has(header) || (!NEVER_TOLD.has(header) && inCheck(header)));
  for (const [header, value] of additional) asked.set(header, value);
  return await askOnce({
    pool: host.pool(cluster.variantOf(host, facts.authority, connection.facts)),
    head: {
      method: facts.method,
      target: pathPrefix + facts.path + facts.query,
      authority: facts.authority,
      scheme: undefined,
      upgrade: undefined,
      headers: asked,
      body: { kind: "none" },
      expectsContinue: false,
    },
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
