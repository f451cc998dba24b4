import type { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";

/** Longer chains are not ours; a peer that is not to be trusted yet must not keep us walking. */
const LONGEST_CHAIN = 8;

/**
 * Asks a server for its certificate chain and returns the CA certificate (PEM) whose key the token pins. Nothing that
 * the server says is believed on this connection; it ends here. Throws `agent.join` when none has that key.
 */
export async function fetchPinnedRoot(address: string, pin: string, signal: AbortSignal): Promise<string> {
  const chain = await fetchChain(address, AbortSignal.any([signal, AbortSignal.timeout(10_000)]));
  const root = chain.find((certificate) => certificate.ca && certificatePin(certificate) === pin);
  if (root !== undefined) return root.toString();
  throw new MeshError("agent.join", `join through ${address}: its CA is not the one that the token names`, {
    hint: "the token is of another mesh, or something between this host and the server answers in its place",
  });
}

async function fetchChain(address: string, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  const { host, port } = splitAddress(address);
  const { promise, resolve, reject } = Promise.withResolvers<readonly X509Certificate[]>();
  const socket = connect({
    host,
    port,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    servername: "lateen-server",
    // The pin decides, over the certificates themselves.
    rejectUnauthorized: false,
  });
  const abort = (): void => {
    socket.destroy(new Error("no answer in time"));
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  socket.once("secureConnect", () => resolve(chainOf(socket.getPeerX509Certificate())));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  try {
    return await promise;
  } catch (cause) {
    const noTls = tlsFailure(cause);
    throw new MeshError("agent.join", `reach the server at ${address}: ${noTls ?? messageOf(cause)}`, {
      ...(noTls === undefined ? { cause } : {}),
      hint: "look whether the server runs and whether a firewall lets this host through to its port",
    });
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

/** OpenSSL's own words are numbers and file names, of no use to a person. */
function tlsFailure(cause: unknown): string | undefined {
  const { code = "" } = cause as NodeJS.ErrnoException;
  return code.startsWith("ERR_SSL_") ? `what answers there does not speak TLS 1.3 (${code})` : undefined;
}

/** A peer's certificates, its own first. */
export function chainOf(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = leaf; next !== undefined && chain.length < LONGEST_CHAIN; next = next.issuerCertificate) {
    if (chain.some((seen) => seen.raw.equals(next?.raw ?? Buffer.alloc(0)))) break;
    chain.push(next);
  }
  return chain;
}

/** `host:port`; brackets of an IPv6 address are taken off. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
