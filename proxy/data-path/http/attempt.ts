import { type ClientRequest, type IncomingMessage, request as startRequest } from "node:http";
import type { Socket } from "node:net";
import { messageOf } from "../../../mesh/errors.ts";
import type { PeerCertificate } from "../tls/peer.ts";
import { UpstreamConnectError } from "../upstream/dial.ts";
import { type PoolVariant, peerOf, type UpstreamHost } from "../upstream/upstream-host.ts";
import type { RequestBody } from "./request-body.ts";

export type AttemptResult =
  | {
      readonly kind: "response";
      readonly request: ClientRequest;
      readonly response: IncomingMessage;
      readonly peer: PeerCertificate | undefined;
    }
  | {
      readonly kind: "upgraded";
      readonly response: IncomingMessage;
      readonly socket: Socket;
      readonly head: Buffer;
      readonly peer: PeerCertificate | undefined;
    }
  | {
      readonly kind: "failed";
      readonly cause: "connect" | "overflow" | "reset" | "protocol" | "per-try-timeout" | "aborted";
      readonly reason: string;
      /** False when not a byte of the request has left. */
      readonly requestSent: boolean;
      /** The connection had served before: the server may just have closed it for being idle. */
      readonly reused: boolean;
    };

export interface AttemptOptions {
  readonly host: UpstreamHost;
  /** Undefined: any connection to the host will do. */
  readonly variant: PoolVariant | undefined;
  readonly method: string;
  readonly target: string;
  /** Flat list with host and framing. */
  readonly headers: readonly string[];
  /** Undefined: there is none. */
  readonly body: RequestBody | undefined;
  /** 0 is without limit. */
  readonly perTryTimeoutMs: number;
  /** Aborted when the caller is gone or the route's time is over. */
  readonly signal: AbortSignal;
}

/** As Envoy takes it from an upstream. */
const LARGEST_RESPONSE_HEAD = 80 * 1024;

/**
 * Sends the request to one host and waits for the head of the response. The body starts when there is a connection,
 * so a failure to connect has sent nothing. Never rejects.
 */
export async function attemptRequest(options: AttemptOptions): Promise<AttemptResult> {
  const { host, body, signal, perTryTimeoutMs } = options;
  const request = startRequest({
    agent: host.pool(options.variant),
    host: host.endpoint.address,
    port: host.endpoint.port,
    method: options.method,
    path: options.target,
    headers: options.headers,
    setHost: false,
    maxHeaderSize: LARGEST_RESPONSE_HEAD,
  });
  let sent = false;
  let socket: Socket | undefined;
  return await new Promise<AttemptResult>((resolve) => {
    const fail = (cause: Extract<AttemptResult, { kind: "failed" }>["cause"], reason: string): void => {
      settle({ kind: "failed", cause, reason, requestSent: sent, reused: request.reusedSocket });
      request.destroy();
    };
    const abort = (): void => fail("aborted", "the caller is gone");
    const timer =
      perTryTimeoutMs > 0
        ? setTimeout(() => fail("per-try-timeout", "per try timeout"), perTryTimeoutMs)
        : undefined;
    const settle = (result: AttemptResult): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      if (result.kind === "failed") body?.detach(request);
      resolve(result);
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("error", (error) => fail(causeOf(error, sent), messageOf(error)));
    request.on("socket", (connected) => {
      socket = connected;
      sent = true;
      if (body) body.sendTo(request);
      else request.end();
    });
    request.on("response", (response) => {
      const problem = framingProblem(response);
      if (problem) fail("protocol", problem);
      else settle({ kind: "response", request, response, peer: socket && peerOf(socket) });
    });
    request.on("upgrade", (response, upgraded: Socket, head) => {
      settle({ kind: "upgraded", response, socket: upgraded, head, peer: peerOf(upgraded) });
    });
    if (signal.aborted) abort();
  });
}

function causeOf(error: Error, sent: boolean): "connect" | "overflow" | "reset" | "protocol" {
  if (error instanceof UpstreamConnectError) return error.flag === "UO" ? "overflow" : "connect";
  if (!sent) return "connect";
  return "code" in error && String(error.code).startsWith("HPE_") ? "protocol" : "reset";
}

/** A response that two readers could end at different places must not be passed on. */
function framingProblem(response: IncomingMessage): string | undefined {
  const codings: string[] = [];
  let lengths = 0;
  for (let index = 0; index < response.rawHeaders.length; index += 2) {
    const name = response.rawHeaders[index]?.toLowerCase();
    if (name === "transfer-encoding") codings.push(response.rawHeaders[index + 1]?.toLowerCase() ?? "");
    if (name === "content-length") lengths++;
  }
  if (lengths > 1 || (lengths === 1 && codings.length > 0)) return "ambiguous length of the response";
  if (codings.length > 0 && codings.join() !== "chunked") return "transfer-encoding of the response";
  return undefined;
}
