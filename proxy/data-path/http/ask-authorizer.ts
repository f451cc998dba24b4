import type { IncomingMessage } from "node:http";
import type { AuthorizationService, ExtAuthz } from "../../model/ext-authz.ts";
import type { StringMatch } from "../../model/match.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { compileString } from "../../tables/matchers.ts";
import { compileMetadata } from "../../tables/metadata.ts";
import { attemptRequest } from "./attempt.ts";
import { type AcceptedRequest, addToAnswer, type Exchange, type LocalReply } from "./exchange.ts";

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

/** Asks an authorizer over HTTP: 200 lets the request pass, 5xx is no answer, everything else is what the caller gets. */
export function compileQuestion(model: ExtAuthz): AuthorizerQuestion {
  const isAskedAbout = model.enabledFor && compileMetadata(model.enabledFor);
  const { service } = model;
  const ask = service && compileService(service);
  return async (exchange, accepted) => {
    if (isAskedAbout?.(accepted.facts) === false) return PASSED;
    const answer = await ask?.(exchange, accepted);
    if (answer === undefined) {
      if (model.failOpen) return PASSED;
      const reply = { status: model.statusOnError, flag: "UAEX", details: "ext_authz_error" } as const;
      return { kind: "refused", reply };
    }
    if (answer.kind === "denied") return { kind: "refused", reply: answer.reply };
    return { kind: "passed", routeAgain: model.clearsRoute };
  };
}

type Asked = { readonly kind: "allowed" } | { readonly kind: "denied"; readonly reply: LocalReply };

/** Undefined: there is no answer. */
function compileService(
  service: AuthorizationService,
): (exchange: Exchange, accepted: AcceptedRequest) => Promise<Asked | undefined> {
  const inCheck = anyOf(service.inCheck);
  const toUpstream = anyOf(service.toUpstreamOnAllow);
  const onAllow = anyOf(service.toDownstreamOnAllow);
  const onDeny = service.toDownstreamOnDeny.length === 0 ? () => true : anyOf(service.toDownstreamOnDeny);
  return async (exchange, accepted) => {
    const signal = AbortSignal.any([exchange.gone, AbortSignal.timeout(service.timeoutMs)]);
    const response = await question(exchange, accepted, service, inCheck, signal);
    if (response === undefined) return undefined;
    const status = response.statusCode ?? 0;
    const headers = HeaderList.fromRaw(response.rawHeaders);
    if (status === 200) {
      response.resume();
      for (const [name, value] of entriesOf(headers)) {
        if (toUpstream(name)) accepted.headers.set(name, value);
        if (onAllow(name)) addToAnswer(exchange, [{ name, value, action: "append" }]);
      }
      return { kind: "allowed" };
    }
    const body = await textOf(response, signal);
    if (body === undefined || status < 200 || status >= 500) return undefined;
    headers.keep((name) => !NEVER_TOLD.has(name) && (ALWAYS_TOLD.has(name) || onDeny(name)));
    return { kind: "denied", reply: { status, headers, body, flag: "UAEX", details: "ext_authz_denied" } };
  };
}

async function question(
  exchange: Exchange,
  { facts, headers }: AcceptedRequest,
  { cluster: name, pathPrefix, additional }: AuthorizationService,
  inCheck: (name: string) => boolean,
  signal: AbortSignal,
): Promise<IncomingMessage | undefined> {
  const { deps, connection } = exchange;
  const cluster = deps.tables.cluster(name);
  const host = cluster?.pick(deps.random);
  if (cluster === undefined || host === undefined) return undefined;
  const asked = headers.clone();
  asked.keep((header) => ALWAYS_ASKED.has(header) || (!NEVER_TOLD.has(header) && inCheck(header)));
  for (const [header, value] of additional) asked.set(header, value);
  asked.set("host", facts.authority);
  asked.set("content-length", "0");
  const result = await attemptRequest({
    host,
    variant: cluster.variantOf(host, facts.authority, connection.facts),
    method: facts.method,
    target: pathPrefix + facts.path + facts.query,
    headers: asked.toRaw(),
    body: undefined,
    perTryTimeoutMs: 0,
    signal,
  });
  return result.kind === "response" ? result.response : undefined;
}

async function textOf(response: IncomingMessage, signal: AbortSignal): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  const cut = (): void => void response.destroy();
  signal.addEventListener("abort", cut, { once: true });
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > LARGEST_DENIAL_BYTES) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch {
    return undefined;
  } finally {
    signal.removeEventListener("abort", cut);
  }
}

function entriesOf(headers: HeaderList): readonly (readonly [string, string])[] {
  return [...new Set(headers.names())].map((name) => [name, headers.get(name) ?? ""]);
}

function anyOf(patterns: readonly StringMatch[]): (name: string) => boolean {
  const tests = patterns.map(compileString);
  return (name) => tests.some((test) => test(name));
}
