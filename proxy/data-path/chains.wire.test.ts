import assert from "node:assert/strict";
import { createServer, connect as tcpConnect } from "node:net";
import { test } from "node:test";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { call, TestApp } from "../../test/harness/proxy-pair.ts";
import { mintRoot } from "../../test/harness/test-certificates.ts";
import { freePort, TestProxy } from "../../test/harness/test-proxy.ts";
import {
  address,
  httpInspector,
  httpManager,
  routeConfig,
  routeTo,
  staticCluster,
  tcpProxy,
  tlsInspector,
} from "../../test/harness/xds-samples.ts";

type Json = Record<string, JsonValue>;

/** A TLS server that says its name, on loopback. */
async function tlsServer(name: string): Promise<AsyncDisposable & { readonly port: number }> {
  const { pem, keyPem } = mintRoot(name);
  const server = createTlsServer({ cert: pem, key: keyPem }, (socket) => {
    socket.on("error", () => {});
    socket.end(name);
  });
  return await listening(server);
}

/** A server that answers the first bytes of a connection with its name. */
async function tcpServer(name: string): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(name));
  });
  return await listening(server);
}

async function listening(
  server: ReturnType<typeof createServer>,
): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  return {
    port: typeof place === "object" && place ? place.port : 0,
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  };
}

async function serverByName(port: number, servername: string): Promise<string> {
  const socket = tlsConnect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false });
  return await saidBy(socket);
}

async function saidBy(socket: ReturnType<typeof tcpConnect>): Promise<string> {
  return await new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

test("one port for HTTP, TLS by server name, callers by their address, and everything else", async () => {
  await using stack = new AsyncDisposableStack();
  const app = stack.use(await TestApp.start((_request, response) => response.end("http")));
  const ports: Record<string, number> = { http: app.port };
  for (const name of ["exact", "wild", "any-tls"]) ports[name] = stack.use(await tlsServer(name)).port;
  for (const name of ["near", "rest"]) ports[name] = stack.use(await tcpServer(name)).port;
  const proxy = stack.use(await TestProxy.start());
  const port = await freePort();
  for (const [name, at] of Object.entries(ports)) proxy.ads.set("cluster", name, staticCluster(name, [at]));
  const chain = (filterChainMatch: Json, cluster: string): Json => ({
    filterChainMatch,
    filters: [tcpProxy({ cluster })],
  });
  proxy.ads.set("listener", "l", {
    name: "l",
    address: address(port),
    trafficDirection: "OUTBOUND",
    listenerFilters: [tlsInspector, httpInspector],
    listenerFiltersTimeout: "0.2s",
    continueOnListenerFiltersTimeout: true,
    filterChains: [
      {
        filterChainMatch: { transportProtocol: "raw_buffer", applicationProtocols: ["http/1.1", "h2c"] },
        filters: [httpManager({ routeConfig: routeConfig("r", [routeTo("http")]) })],
      },
      chain({ transportProtocol: "tls", serverNames: ["a.example.com"] }, "exact"),
      chain({ transportProtocol: "tls", serverNames: ["*.example.com"] }, "wild"),
      chain({ transportProtocol: "tls" }, "any-tls"),
      chain(
        {
          transportProtocol: "raw_buffer",
          sourcePrefixRanges: [{ addressPrefix: "127.0.0.2", prefixLen: 32 }],
        },
        "near",
      ),
    ],
    defaultFilterChain: { filters: [tcpProxy({ cluster: "rest" })] },
  });
  await proxy.ready();

  assert.equal((await call(port)).body, "http");
  assert.equal(await serverByName(port, "a.example.com"), "exact");
  assert.equal(await serverByName(port, "b.example.com"), "wild");
  assert.equal(await serverByName(port, "example.org"), "any-tls");
  for (const [localAddress, want] of [
    ["127.0.0.2", "near"],
    ["127.0.0.1", "rest"],
  ] as const) {
    const socket = tcpConnect({ port, host: "127.0.0.1", localAddress });
    socket.write("\x00\x00\x00\x08\x04\xd2\x16\x2f");
    assert.equal(await saidBy(socket), want);
  }
  assert.deepEqual(proxy.ads.nacks, []);
});
