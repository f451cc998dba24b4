import { readFileSync } from "node:fs";
import { type ClientRequest, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import { type AdmissionConfig, socketPath } from "./config.ts";

/** One request to Nomad, opened on a connection of its own. */
export interface NomadTarget {
  /** For messages. */
  readonly address: string;
  /**
   * `path` is the request's target as the client wrote it. The request fails when no connection comes about in
   * time, or no answer within `answerMs`.
   */
  open(ask: NomadAsk): ClientRequest;
}

interface NomadAsk {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[];
  /** Left out: as long as the client waits. Dead peers are found by TCP's own keep-alive. */
  readonly answerMs?: number;
}

const CONNECT_MS = 5_000;
/** A peer that is gone without a word is found out. */
const KEEP_ALIVE_MS = 30_000;

/** Reads the TLS files. Throws `config.invalid` when they cannot be read. */
export function nomadTarget({
  address,
  caFile,
  certFile,
  keyFile,
  serverName,
}: AdmissionConfig["nomad"]): NomadTarget {
  const path = socketPath(address);
  const url = path === undefined ? new URL(address) : undefined;
  const place: RequestOptions =
    url === undefined
      ? { socketPath: path }
      : {
          hostname: url.hostname.replace(/^\[|\]$/g, ""),
          port: url.port || (url.protocol === "https:" ? 443 : 80),
        };
  const secure = url?.protocol === "https:";
  const tls = secure
    ? {
        ...(caFile === undefined ? {} : { ca: readPem(caFile) }),
        ...(certFile === undefined || keyFile === undefined
          ? {}
          : { cert: readPem(certFile), key: readPem(keyFile) }),
        ...(serverName === undefined ? {} : { servername: serverName }),
        ALPNProtocols: ["http/1.1"],
      }
    : {};
  return {
    address,
    open({ method, path: target, headers, answerMs }) {
      // A connection for each request: none that Nomad has just closed is ever used again.
      const options = {
        ...place,
        ...tls,
        method,
        path: target,
        headers: [...headers],
        agent: false,
        setHost: false,
      };
      const request = secure ? requestHttps(options) : requestHttp(options);
      request.once("socket", (socket: Socket) => {
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        limit(request, CONNECT_MS, secure ? "secureConnect" : "connect", socket);
      });
      if (answerMs !== undefined) limit(request, answerMs, "response", request);
      return request;
    },
  };
}

/** Ends the request when an event does not come in time; an upgrade is an answer as well. */
function limit(
  request: ClientRequest,
  ms: number,
  event: string,
  emitter: { once(event: string, listener: () => void): unknown },
): void {
  const timer = setTimeout(() => request.destroy(new Error(`no ${event} within ${ms} ms`)), ms);
  const stop = (): void => clearTimeout(timer);
  emitter.once(event, stop);
  request.once("upgrade", stop);
  request.once("close", stop);
}

export function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new MeshError("config.invalid", `read ${file}: ${messageOf(cause)}`, {
      cause,
      hint: "it must be PEM, and readable for this user",
    });
  }
}
