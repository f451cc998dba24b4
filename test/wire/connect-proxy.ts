import { connect, type Socket } from "node:net";

/**
 * Serves one connection of an HTTP proxy that makes tunnels for CONNECT, and for POST, whatever the target. All lead to
 * `to`; what was asked for is written down.
 */
export function serveConnectProxy(
  socket: Socket,
  to: { readonly address: string; readonly port: number },
  asked: string[],
): void {
  let head = "";
  const read = (chunk: Buffer): void => {
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    socket.off("data", read);
    socket.pause();
    const [, method = "", target = ""] = /^(\S+) (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    const [, host = ""] = /^host: *(\S+)/im.exec(head) ?? [];
    asked.push(`${method} ${method === "POST" ? host : target}`);
    const upstream = connect({ host: to.address, port: to.port });
    upstream.on("error", () => socket.destroy());
    socket.on("close", () => upstream.destroy());
    socket.on("error", () => undefined);
    if (method === "POST") tunnelChunks(socket, upstream, Buffer.from(head.slice(end + 4), "latin1"));
    else tunnelBytes(socket, upstream, Buffer.from(head.slice(end + 4), "latin1"));
  };
  socket.on("data", read);
}

function tunnelBytes(socket: Socket, upstream: Socket, rest: Buffer): void {
  socket.write("HTTP/1.1 200 OK\r\n\r\n");
  upstream.write(rest);
  socket.pipe(upstream).pipe(socket);
}

/** HTTP/1.1 has a POST's two directions in chunks. */
function tunnelChunks(socket: Socket, upstream: Socket, first: Buffer): void {
  socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  upstream.on("data", (data: Buffer) => {
    socket.write(`${data.length.toString(16)}\r\n`);
    socket.write(data);
    socket.write("\r\n");
  });
  let waiting = first;
  const unwrap = (chunk: Buffer): void => {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      const end = waiting.indexOf("\r\n");
      const length = end < 0 ? Number.NaN : Number.parseInt(waiting.toString("latin1", 0, end), 16);
      if (!Number.isInteger(length) || waiting.length < end + length + 4) return;
      upstream.write(waiting.subarray(end + 2, end + 2 + length));
      waiting = waiting.subarray(end + length + 4);
    }
  };
  socket.on("data", unwrap);
  unwrap(Buffer.alloc(0));
  socket.resume();
}
