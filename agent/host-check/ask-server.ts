import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { messageOf } from "../../mesh/errors.ts";
import { certificatePin } from "../../mesh/identity/spki-pin.ts";
import { chainOf, splitAddress } from "../identity/pinned-root.ts";

/** By what the server's authority is known: the pin of a join token, or the roots of a host that has joined. */
export type KnownBy = { readonly pin: string } | { readonly roots: readonly string[] };

/** What a server is found to be, by one connection that asks for nothing. */
export type ServerAnswer =
  /** `aheadMs`: how far its clock is ahead of this host's, to about a second; undefined: it does not say. */
  | { readonly kind: "reached"; readonly aheadMs: number | undefined }
  | { readonly kind: "unreachable"; readonly reason: string }
  | { readonly kind: "wrong-authority"; readonly reason: string };

const PATIENCE_MS = 5_000;

/** Looks at the server at `host:port`. Never throws; an aborted signal makes it unreachable. */
export async function askServer(address: string, known: KnownBy, signal: AbortSignal): Promise<ServerAnswer> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  let socket: TLSSocket | undefined;
  try {
    socket = await openTls(address, known, patience);
    const stranger = strangerReason(socket, known);
    if (stranger !== undefined) return { kind: "wrong-authority", reason: stranger };
    return { kind: "reached", aheadMs: await clockAhead(socket, patience) };
  } catch (error) {
    return { kind: "unreachable", reason: patience.aborted ? "no answer in time" : messageOf(error) };
  } finally {
    socket?.destroy();
  }
}

async function openTls(address: string, known: KnownBy, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port } = splitAddress(address);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectTls({
    host,
    port,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    servername: "lateen-server",
    // It is judged when it is there: a refusal has to say why.
    rejectUnauthorized: false,
    ...("roots" in known ? { ca: [...known.roots] } : {}),
  });
  const abort = (): void => {
    socket.destroy(new Error("no answer in time"));
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  socket.once("secureConnect", resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Undefined: it is of the mesh. Names are not looked at, and neither is time: that is told apart. */
function strangerReason(socket: TLSSocket, known: KnownBy): string | undefined {
  if ("pin" in known) {
    const chain = chainOf(socket.getPeerX509Certificate());
    const has = chain.some((certificate) => certificate.ca && certificatePin(certificate) === known.pin);
    return has ? undefined : "its authority is not the one that the token names";
  }
  const code = String(socket.authorizationError ?? "");
  const fine = socket.authorized || /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ALTNAME/.test(code);
  return fine ? undefined : `its certificate is of no root that this host knows (${code})`;
}

/** Every answer of the server has a Date, of whatever status it is. */
async function clockAhead(socket: TLSSocket, signal: AbortSignal): Promise<number | undefined> {
  const session = connectHttp2("https://lateen-server", { createConnection: () => socket });
  session.on("error", () => undefined);
  try {
    const asked = Date.now();
    const stream = session.request({ ":path": "/healthz", ":method": "POST" }, { endStream: true, signal });
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    stream.once("response", ({ date }) => resolve(date));
    stream.once("error", () => resolve(undefined));
    stream.once("close", () => resolve(undefined));
    const said = Date.parse((await promise) ?? "");
    const heard = Date.now();
    // A date has whole seconds: it lies half of one behind, on the average.
    return Number.isNaN(said) ? undefined : said + 500 - (asked + heard) / 2;
  } finally {
    session.destroy();
  }
}
