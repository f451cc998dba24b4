import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Call } from "../call.ts";

export interface RawReply {
  readonly status: number;
  readonly location: string;
  /** The name that the route or chain gave itself in a header. */
  readonly route: string;
  readonly body: string;
}

const LONGEST_MS = 5_000;

/** Sends a call as it is written, byte for byte, and reads the answer; undefined: the connection was cut. */
export async function rawCall(call: Call): Promise<RawReply | undefined> {
  const socket = await open(call);
  if (socket === undefined) return undefined;
  const headers = call.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(
    `${call.method} ${call.path} HTTP/1.1\r\nhost: ${call.host}\r\n${headers}connection: close\r\n\r\n`,
  );
  return parse(await readAnswer(socket));
}

async function open({ address, port, tls }: Call): Promise<Socket | undefined> {
  return await new Promise((resolve) => {
    const socket =
      tls === undefined
        ? connectTcp({ host: address, port }, () => resolve(socket))
        : connectTls(
            {
              host: address,
              port,
              ...(tls.sni === "" ? {} : { servername: tls.sni }),
              ALPNProtocols: [...tls.alpn],
              rejectUnauthorized: false,
            },
            () => resolve(socket),
          );
    socket.setTimeout(LONGEST_MS, () => socket.destroy());
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
  });
}

/** Until the answer is whole or the other side closes: Envoy lingers for a second before it does. */
async function readAnswer(socket: Socket): Promise<string> {
  return await new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isWhole(text)) socket.destroy();
    });
    socket.on("close", () => resolve(text));
  });
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const length = headerIn(text.slice(0, headEnd + 2), "content-length");
  return length === undefined || text.length >= headEnd + 4 + Number(length);
}

function headerIn(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];
}

function parse(text: string): RawReply | undefined {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  if (status === undefined) return undefined;
  const headEnd = text.indexOf("\r\n\r\n");
  const head = text.slice(0, headEnd + 2);
  return {
    status: Number(status),
    location: headerIn(head, "location") ?? "",
    route: headerIn(head, "x-route") ?? "",
    body: text.slice(headEnd + 4),
  };
}
