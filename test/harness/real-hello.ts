import { createServer } from "node:net";
import { connect } from "node:tls";

/** What a real TLS client sends first. */
export async function realHello(
  options: { servername?: string; ALPNProtocols?: string[] } = {},
): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    const chunks: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      if (bytes.length < 5 + bytes.readUInt16BE(3)) return;
      resolve(bytes);
      socket.destroy();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  connect({ host: "127.0.0.1", port, ...options }).on("error", () => {});
  const bytes = await promise;
  server.close();
  return bytes;
}
