import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { messageOf } from "../../mesh/errors.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";

/** One end of mutual TLS: who it is, and whom it trusts. */
export interface TlsEnd {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly bundle: Pick<TrustBundle, "roots" | "trustDomain">;
}

/** A real handshake over the loopback, judged by OpenSSL and by `verifyPeerSvid` on both sides: `ok`, or what each says. */
export async function shakeHands(server: TlsEnd, client: TlsEnd): Promise<string> {
  const listener = createServer({ ...optionsOf(server), requestCert: true });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({
    port,
    host: "127.0.0.1",
    ...optionsOf(client),
    checkServerIdentity: () => undefined,
  });
  const sides = [accepted(listener, server), secured(socket, client)];
  try {
    const verdicts = await Promise.all(sides);
    return verdicts.filter((verdict) => verdict !== "ok").join("; ") || "ok";
  } finally {
    socket.destroy();
    listener.close();
  }
}

function optionsOf({ chainPem, keyPem, bundle }: TlsEnd): object {
  return {
    cert: chainPem,
    key: keyPem,
    ca: [...bundle.roots],
    minVersion: "TLSv1.3",
    rejectUnauthorized: true,
  };
}

function accepted(listener: ReturnType<typeof createServer>, end: TlsEnd): Promise<string> {
  return new Promise((resolve) => {
    listener.once("tlsClientError", (error) => resolve(`server: ${messageOf(error)}`));
    listener.once("secureConnection", (socket) => {
      socket.on("error", () => {});
      resolve(judge(socket, end));
      socket.end();
    });
  });
}

function secured(socket: TLSSocket, end: TlsEnd): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (error) => resolve(`client: ${messageOf(error)}`));
    socket.once("secureConnect", () => resolve(judge(socket, end)));
    socket.once("close", () => resolve("client: closed"));
  });
}

function judge(socket: TLSSocket, { bundle }: TlsEnd): string {
  const verdict = verifyPeerSvid(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0), bundle.trustDomain);
  return verdict.ok ? "ok" : verdict.reason;
}
