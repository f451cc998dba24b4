import { createServer } from "node:net";
import type { Duplex } from "node:stream";
import { CLIENT_ID, CLUSTER, ROUTES, SERVER_ID, TestApp } from "./proxy-pair.ts";
import { ProxyProgram } from "./proxy-program.ts";
import { listenTcp } from "./tcp-pair.ts";
import { mintRoot, mintSvid, type TestCertificate } from "./test-certificates.ts";
import { freePorts } from "./test-proxy.ts";
import {
  certificateSecret,
  endpoints,
  inboundHttp,
  inboundTcp,
  meshCluster,
  outboundHttp,
  outboundTcp,
  rootsSecret,
  routeConfig,
  routeTo,
  staticCluster,
} from "./xds-samples.ts";

const TCP_CLUSTER = "outbound|5432||server.default.svc.cluster.local";
const upgradeConfigs = [{ upgradeType: "websocket" }];

/** Two `lateen proxy` processes with mTLS between them, and an application for HTTP and one for TCP behind them. */
export interface ProgramPair extends AsyncDisposable {
  readonly client: ProxyProgram;
  readonly server: ProxyProgram;
  readonly httpPort: number;
  readonly tcpPort: number;
  /** Where the server's proxy takes HTTP. */
  readonly httpInbound: number;
  /** Who has issued the SVIDs of both. */
  readonly root: TestCertificate;
}

/** `preload`: a module that is loaded into each thread of both first. */
export async function startProgramPair(concurrency: number, preload?: string): Promise<ProgramPair> {
  const cleanup = new AsyncDisposableStack();
  const root = mintRoot();
  const app = cleanup.use(await TestApp.start((_request, response) => response.end("here")));
  app.server.on("upgrade", (_request, socket: Duplex) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    socket.on("error", () => {}).pipe(socket);
  });
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  const echoPort = await listenTcp(echo);
  cleanup.defer(() => void echo.close());
  const [client, server] = await Promise.all([
    ProxyProgram.start({ concurrency, ...(preload === undefined ? {} : { preload }) }),
    ProxyProgram.start({ concurrency, name: "server-1", ...(preload === undefined ? {} : { preload }) }),
  ]);
  cleanup.use(client);
  cleanup.use(server);
  const [httpPort = 0, tcpPort = 0, httpInbound = 0, tcpInbound = 0] = await freePorts(4);
  for (const [program, id] of [
    [client, CLIENT_ID],
    [server, SERVER_ID],
  ] as const) {
    program.ads.set("secret", "default", certificateSecret(mintSvid(root, id)));
    program.ads.set("secret", "ROOTCA", rootsSecret(root.pem));
  }
  const inbound = { mode: "STRICT", manager: { upgradeConfigs } } as const;
  server.ads.set("cluster", "inbound|80||", staticCluster("inbound|80||", [app.port]));
  server.ads.set("cluster", "inbound|5432||", staticCluster("inbound|5432||", [echoPort]));
  server.ads.set(
    "listener",
    `127.0.0.1_${httpInbound}`,
    inboundHttp({ ...inbound, port: httpInbound, cluster: "inbound|80||" }),
  );
  server.ads.set(
    "listener",
    `127.0.0.1_${tcpInbound}`,
    inboundTcp({ mode: "STRICT", port: tcpInbound, cluster: "inbound|5432||" }),
  );
  client.ads.set("cluster", CLUSTER, meshCluster(CLUSTER, SERVER_ID));
  client.ads.set("cluster", TCP_CLUSTER, meshCluster(TCP_CLUSTER, SERVER_ID, {}, "tcp"));
  client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [httpInbound], true));
  client.ads.set("endpoints", TCP_CLUSTER, endpoints(TCP_CLUSTER, [tcpInbound], true));
  client.ads.set("route", ROUTES, routeConfig(ROUTES, [routeTo(CLUSTER)]));
  client.ads.set("listener", `127.0.0.1_${httpPort}`, outboundHttp(httpPort, ROUTES, { upgradeConfigs }));
  client.ads.set("listener", `127.0.0.1_${tcpPort}`, outboundTcp(tcpPort, { cluster: TCP_CLUSTER }));
  await Promise.all([client.ready(), server.ready()]);
  return {
    client,
    server,
    httpPort,
    tcpPort,
    httpInbound,
    root,
    [Symbol.asyncDispose]: async () => await cleanup.disposeAsync(),
  };
}
