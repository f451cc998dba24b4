import type { HeaderValueOption } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { AttributeContext_Peer as Peer } from "../../../mesh/xds/gen/envoy/service/auth/v3/attribute_context.ts";
import {
  CheckRequest,
  CheckResponse,
  type OkHttpResponse,
} from "../../../mesh/xds/gen/envoy/service/auth/v3/external_auth.ts";
import type { GrpcAuthorization } from "../../model/ext-authz.ts";
import type { LiteralEdit } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import type { AcceptedRequest } from "./accept-request.ts";
import type { Asked } from "./ask-authorizer.ts";
import { type Answer, askOnce } from "./ask-once.ts";
import type { Exchange } from "./exchange.ts";
import { frameOf, messageOf } from "./grpc-message.ts";
import type { Beginning } from "./held-body.ts";

const METHOD = "/envoy.service.auth.v3.Authorization/Check";
const LARGEST_ANSWER_BYTES = 64 * 1024;
const FORBIDDEN = 403;
/** What no authorizer says of a request or an answer: it is what they are told apart by. */
const FRAMING = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What an authorizer is to see of the body: as bytes, or as text. */
export type SeenBody = Beginning & { readonly asBytes: boolean };

/** Asks `Authorization.Check` about a request (Envoy's external_auth.proto). Undefined: there is no answer. */
export async function askOverGrpc(
  exchange: Exchange,
  accepted: AcceptedRequest,
  { cluster: name, authority, timeoutMs }: GrpcAuthorization,
  seen: SeenBody | undefined,
): Promise<Asked | undefined> {
  const { deps, connection, gone } = exchange;
  const cluster = deps.tables.cluster(name);
  const host = cluster?.pick(deps.random);
  if (cluster === undefined || host === undefined) return undefined;
  const body = frameOf(CheckRequest.encode(describe(exchange, accepted, seen)).finish());
  const headers = new HeaderList();
  headers.append("content-type", "application/grpc");
  headers.append("grpc-timeout", `${Math.min(timeoutMs, 99_999_999)}m`);
  const answer = await askOnce({
    pool: host.pool(cluster.variantOf(host, authority, connection.facts)),
    head: {
      method: "POST",
      target: METHOD,
      authority,
      scheme: undefined,
      upgrade: undefined,
      headers,
      body: { kind: "sized", bytes: body.length },
      expectsContinue: false,
    },
    body,
    alarms: deps.alarms,
    timeoutMs,
    mostBytes: LARGEST_ANSWER_BYTES,
    gone,
  });
  const response = answer && responseOf(answer);
  try {
    return response && takeResponse(response, exchange, accepted);
  } catch {
    // A header that none can have: what the rest of the answer is worth is not to be guessed.
    return undefined;
  }
}

function describe(
  exchange: Exchange,
  { facts, headers }: AcceptedRequest,
  seen: SeenBody | undefined,
): CheckRequest {
  const { connection, deps, head, record } = exchange;
  const { remoteAddress, remotePort, localAddress, localPort, peer } = connection.facts;
  const all = Object.fromEntries(
    new Set(headers.names()).values().map((name) => [name, headers.get(name) ?? ""]),
  );
  const path = facts.path + facts.query;
  return CheckRequest.fromPartial({
    attributes: {
      source: endOf(remoteAddress, remotePort, peer?.[0]),
      destination: endOf(localAddress, localPort, connection.ends.ownId),
      request: {
        time: new Date(deps.clock.now()),
        http: {
          id: record.requestId,
          method: facts.method,
          headers: {
            ...all,
            ":authority": facts.authority,
            ":method": facts.method,
            ":path": path,
            ":scheme": facts.scheme,
            ...(seen && { "x-envoy-auth-partial-body": String(!seen.isWhole) }),
          },
          ...(seen && (seen.asBytes ? { rawBody: seen.bytes } : { body: seen.bytes.toString() })),
          path,
          host: facts.authority,
          scheme: facts.scheme,
          size: head.body.kind === "sized" ? head.body.bytes : head.body.kind === "none" ? 0 : -1,
          protocol: record.protocol,
        },
      },
      metadataContext: {},
      routeMetadataContext: {},
    },
  });
}

function endOf(address: string, portValue: number, principal = ""): Peer {
  return Peer.fromPartial({ address: { socketAddress: { address, portValue } }, principal });
}

function responseOf({ status, headers, trailers, body }: Answer): CheckResponse | undefined {
  if (status !== 200 || (trailers ?? headers).get("grpc-status") !== "0") return undefined;
  const message = messageOf(body);
  try {
    return message && CheckResponse.decode(message);
  } catch {
    return undefined;
  }
}

function takeResponse(
  { status, deniedResponse, okResponse }: CheckResponse,
  exchange: Exchange,
  accepted: AcceptedRequest,
): Asked | undefined {
  if ((status?.code ?? 0) !== 0) {
    const headers = new HeaderList();
    for (const { name, value, action } of editsOf(deniedResponse?.headers ?? [])) {
      if (action === "set") headers.set(name, value);
      else headers.append(name, value);
    }
    const reply = {
      status: deniedResponse?.status?.code || FORBIDDEN,
      headers,
      body: deniedResponse?.body ?? "",
    };
    return { kind: "denied", reply: { ...reply, flag: "UAEX", details: "ext_authz_denied" } };
  }
  if (okResponse) {
    // It would be let pass as something else than what it is: that is not done here.
    if (okResponse.queryParametersToSet.length + okResponse.queryParametersToRemove.length > 0)
      return undefined;
    edit(accepted.headers, okResponse);
    exchange.addToAnswer(editsOf(okResponse.responseHeadersToAdd));
  }
  return { kind: "allowed" };
}

/** What is to be appended is where there is something to append it to (Envoy). */
function edit(headers: HeaderList, { headers: wanted, headersToRemove }: OkHttpResponse): void {
  for (const { name, value, action } of editsOf(wanted)) {
    if (action === "set") headers.set(name, value);
    else if (headers.has(name)) headers.append(name, value);
  }
  const removed = new Set(headersToRemove.map((name) => name.toLowerCase()));
  headers.keep((name) => !removed.has(name));
}

/** `append` is false here where nothing is said of it. Throws for what is no header. */
function editsOf(options: readonly HeaderValueOption[]): LiteralEdit[] {
  return options.flatMap(({ header, append }): LiteralEdit[] => {
    const name = (header?.key ?? "").toLowerCase();
    if (name.startsWith(":") || FRAMING.has(name)) return [];
    if (!NAME.test(name)) throw new Error("an authorizer's header has no name");
    const value = header?.value || Buffer.from(header?.rawValue ?? []).toString("latin1");
    return [{ name, value, action: append ? "append" : "set" }];
  });
}
