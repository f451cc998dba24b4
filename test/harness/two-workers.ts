import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { resolve } from "node:path";
import { TestApp } from "./proxy-pair.ts";
import { ProxyProgram } from "./proxy-program.ts";
import { freePort } from "./test-proxy.ts";
import { outboundHttp, routeConfig, routeTo, staticCluster } from "./xds-samples.ts";

const PLANTED = resolve(import.meta.dirname, "../fakes/planted-faults.ts");
/** So many that the kernel gives each of two workers some, but for one time in a billion. */
export const MANY = 32;

export interface Serving extends AsyncDisposable {
  readonly proxy: ProxyProgram;
  readonly port: number;
  readonly app: TestApp;
}

export async function twoWorkers(options: { readonly drainSeconds?: number } = {}): Promise<Serving> {
  const app = await TestApp.start((_request, response) => response.end("here"));
  const proxy = await ProxyProgram.start({ concurrency: 2, preload: PLANTED, ...options });
  const port = await freePort();
  proxy.ads.set("cluster", "c", staticCluster("c", [app.port]));
  proxy.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, "80"));
  proxy.ads.set("route", "80", routeConfig("80", [routeTo("c")]));
  await proxy.ready();
  return {
    proxy,
    port,
    app,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

/** How many sockets listen at a port, of whatever process. */
export async function listening(port: number): Promise<number> {
  const place = new RegExp(
    `^\\s*\\d+: \\w+:${port.toString(16).toUpperCase().padStart(4, "0")} \\w+:\\w+ 0A `,
  );
  return (await readFile("/proc/net/tcp", "utf8")).split("\n").filter((line) => place.test(line)).length;
}

export interface Client {
  readonly socket: Socket;
  lost: boolean;
}

/** Connections that have each had an answer and are kept. */
export async function hold(port: number, count: number): Promise<readonly Client[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, "127.0.0.1");
      const client: Client = { socket, lost: false };
      socket
        .on("error", () => {})
        .on("close", () => {
          client.lost = true;
        });
      await ask(client);
      return client;
    }),
  );
}

export async function ask({ socket }: Client): Promise<void> {
  socket.write("GET / HTTP/1.1\r\nhost: server\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
}

/** A connection that a planted fault knows by its address. */
export async function faulty(port: number, localAddress: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

export async function counted(proxy: ProxyProgram, series: RegExp): Promise<number> {
  const { body } = await proxy.admin("/stats/prometheus");
  const lines = body.split("\n").filter((line) => series.test(line));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

export const REQUESTS = /^istio_requests_total\{/;
