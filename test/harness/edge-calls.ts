import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import type { Echo } from "./mesh-apps.ts";
import { converse, parseEcho, type TcpReply } from "./mesh-calls.ts";
import type { TestCertificate } from "./test-certificates.ts";

const CALL_LIMIT_MS = 5_000;

export interface EdgeCall {
  /** Of the host header; default: the server name. */
  readonly host?: string;
  /** SNI. Undefined: the call is plaintext. */
  readonly serverName?: string;
  readonly client?: TestCertificate;
  readonly alpn?: readonly string[];
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface EdgeReply {
  /** 0: there was no answer; `failure` says why. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly failure: string;
  readonly echo: Echo | undefined;
  /** CN of the certificate that the server showed; empty without TLS. */
  readonly serverCommonName: string;
}

/** One HTTP request from outside the mesh, on a connection of its own. Never throws. */
export async function edgeCall(address: string, port: number, call: EdgeCall = {}): Promise<EdgeReply> {
  let serverCommonName = "";
  const { promise, resolve } = Promise.withResolvers<EdgeReply>();
  const failed = (error: Error): void =>
    resolve({
      status: 0,
      headers: {},
      failure: error.message || "broken off",
      echo: undefined,
      serverCommonName,
    });
  const socket = open(address, port, call);
  socket.once("secureConnect", () => {
    if (socket instanceof TLSSocket) serverCommonName = String(socket.getPeerCertificate().subject.CN ?? "");
  });
  const host = call.host ?? call.serverName ?? address;
  const asked = request(
    {
      createConnection: () => socket,
      path: call.path ?? "/",
      headers: { host, ...call.headers },
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        const echo = parseEcho(Buffer.concat(chunks).toString("utf8"), headers["x-echo-app"]);
        resolve({ status, headers, failure: "", echo, serverCommonName });
      });
    },
  );
  asked.on("error", failed);
  asked.end();
  const reply = await promise;
  socket.destroy();
  return reply;
}

/** Bytes from outside the mesh to an echo application, over TLS when a server name is given. Never throws. */
export async function edgeTcpCall(address: string, port: number, call: EdgeCall = {}): Promise<TcpReply> {
  const socket = open(address, port, call);
  if (call.serverName !== undefined) {
    const over = await Promise.race([
      once(socket, "secureConnect").then(() => undefined, String),
      once(socket, "close").then(() => "closed", String),
    ]);
    if (over !== undefined) return { app: undefined, echoed: "", failure: over };
  }
  return converse(socket, "hello");
}

function open(address: string, port: number, { serverName, client, alpn }: EdgeCall): Socket {
  if (serverName === undefined) return connect({ host: address, port });
  return connectTls({
    host: address,
    port,
    servername: serverName,
    rejectUnauthorized: false,
    ALPNProtocols: [...(alpn ?? ["http/1.1"])],
    ...(client === undefined ? {} : { cert: client.pem, key: client.keyPem }),
  });
}
