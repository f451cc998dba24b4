import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { mintSvid, type TestCertificate } from "../test-certificates.ts";
import type { Answer, Ask } from "./case.ts";
import { ADDRESS } from "./resources.ts";

const LONGEST_MS = 5_000;

/** What a sidecar of the mesh offers. */
export const HTTP_ALPN = ["istio-http/1.1", "istio", "http/1.1"] as const;
export const TCP_ALPN = ["istio"] as const;

const PROBE = "anybody there?";

export function spiffeId(as: string): string {
  return as.startsWith("spiffe://") ? as : `spiffe://cluster.local/ns/${as.replace("/", "/sa/")}`;
}

export function headersOf({ headers = [], token }: Ask): readonly (readonly [string, string])[] {
  return token === undefined ? headers : [["authorization", `Bearer ${token}`], ...headers];
}

/** Makes calls as peers of a mesh with this root do. */
export class Caller {
  readonly #root: TestCertificate;
  readonly #svids = new Map<string, TestCertificate>();

  constructor(root: TestCertificate) {
    this.#root = root;
  }

  async http(port: number, ask: Ask): Promise<Answer> {
    const socket = this.#open(port, ask, HTTP_ALPN);
    const { method = "GET", path = "/", host = "server" } = ask;
    const lines = headersOf(ask).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.join("")}connection: close\r\n\r\n`);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(await firstBytes(socket))?.[1];
    return Number(status ?? 0) as Answer;
  }

  /** 200: what is sent comes back. */
  async tcp(port: number, ask: Ask): Promise<Answer> {
    const socket = this.#open(port, ask, TCP_ALPN);
    socket.write(PROBE);
    return (await firstBytes(socket)) === PROBE ? 200 : 0;
  }

  #open(port: number, { as, from, sni }: Ask, alpn: readonly string[]): Socket {
    const place = { host: ADDRESS, port, ...(from === undefined ? {} : { localAddress: from }) };
    if (as === undefined) return connect(place);
    const id = spiffeId(as);
    const svid = this.#svids.get(id) ?? mintSvid(this.#root, id);
    this.#svids.set(id, svid);
    return connectTls({
      ...place,
      cert: svid.pem,
      key: svid.keyPem,
      ca: this.#root.pem,
      ...(sni === undefined ? {} : { servername: sni }),
      ALPNProtocols: [...alpn],
      checkServerIdentity: () => undefined,
    });
  }
}

/** What comes first; empty when the connection is closed before. */
async function firstBytes(socket: Socket): Promise<string> {
  return await new Promise((resolve) => {
    socket.setTimeout(LONGEST_MS, () => socket.destroy());
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(""));
    socket.once("data", (chunk: Buffer) => {
      resolve(chunk.toString("latin1"));
      socket.destroy();
    });
  });
}
