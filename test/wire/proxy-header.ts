import type { Socket } from "node:net";

const V2_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const V2_FIXED = 16;
const LONGEST_V1 = 107;

/**
 * Takes HAProxy's PROXY header off the front of a connection: `v1 address` or `v2 address` of the caller. Rejects when the
 * connection begins with anything else, or ends before.
 */
export async function takeProxyHeader(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let seen = Buffer.alloc(0);
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const found = seen.subarray(0, V2_SIGNATURE.length).equals(V2_SIGNATURE) ? readV2(seen) : readV1(seen);
    if (found === undefined) return;
    socket.off("readable", look);
    if (found instanceof Error) {
      reject(found);
      return;
    }
    socket.unshift(seen.subarray(found.length));
    resolve(found.proxied);
  };
  socket.on("readable", look);
  socket.once("close", () => reject(new Error("it ended before its PROXY header did")));
  return promise;
}

interface Header {
  readonly proxied: string;
  readonly length: number;
}

function readV1(seen: Buffer): Header | Error | undefined {
  const end = seen.indexOf("\r\n");
  if (end < 0) return seen.length > LONGEST_V1 ? new Error("no PROXY header") : undefined;
  const [, address] = /^PROXY TCP4 (\S+) \S+ \d+ \d+$/.exec(seen.toString("latin1", 0, end)) ?? [];
  if (address === undefined) return new Error("no PROXY header");
  return { proxied: `v1 ${address}`, length: end + 2 };
}

function readV2(seen: Buffer): Header | Error | undefined {
  if (seen.length < V2_FIXED) return undefined;
  const length = V2_FIXED + seen.readUInt16BE(14);
  if (seen.length < length) return undefined;
  const isProxyOverTcp4 = seen[12] === 0x21 && seen[13] === 0x11;
  if (!isProxyOverTcp4) return new Error("no PROXY command for TCP over IPv4");
  return { proxied: `v2 ${[...seen.subarray(V2_FIXED, V2_FIXED + 4)].join(".")}`, length };
}
