import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import type { JsonValue } from "../../mesh/xds/json.ts";
import { type MintOptions, mintRoot, mintSvid, type TestCertificate } from "./test-certificates.ts";
import { freePort, TestProxy } from "./test-proxy.ts";
import {
  certificateSecret,
  endpoints,
  inboundHttp,
  type MtlsMode,
  meshCluster,
  outboundHttp,
  rootsSecret,
  routeConfig,
  routeTo,
  staticCluster,
} from "./xds-samples.ts";

export const CLIENT_ID = "spiffe://cluster.local/ns/default/sa/client";
export const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";
export const CLUSTER = "outbound|80||server.default.svc.cluster.local";
export const ROUTES = "server.default.svc.cluster.local:80";

type JsonObject = Record<string, JsonValue>;

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP application on loopback; answers with what it saw unless told otherwise. */
export class TestApp implements AsyncDisposable {
  readonly port: number;
  seen: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }[] = [];
  readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
  }

  static async start(listener?: RequestListener): Promise<TestApp> {
    const seen: TestApp["seen"] = [];
    const server = createServer((incoming, response) => {
      seen.push({ method: incoming.method ?? "", url: incoming.url ?? "", headers: incoming.headers });
      if (listener) return listener(incoming, response);
      incoming.pipe(response);
      return undefined;
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const place = server.address();
    const app = new TestApp(server, typeof place === "object" && place ? place.port : 0);
    app.seen = seen;
    return app;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Sends one request on a connection of its own, unless an agent is given. */
export async function call(
  port: number,
  path = "/",
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; agent?: Agent } = {},
): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method: options.method ?? "GET",
        headers: { host: "server", ...options.headers },
        agent: options.agent ?? false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    asked.on("error", reject);
    asked.end(options.body);
  });
}

export interface PairOptions {
  readonly mode?: MtlsMode;
  readonly app?: RequestListener;
  /** Filters of the server's inbound listener. */
  readonly filters?: readonly JsonObject[];
  /** Fields of the server's connection manager. */
  readonly manager?: JsonObject;
  readonly routes?: readonly JsonObject[];
  /** Of the server's certificate. */
  readonly serverCertificate?: MintOptions;
  readonly serverRoot?: TestCertificate;
  readonly serverId?: string;
  /** Who the client expects to find. */
  readonly expected?: string;
  readonly clientId?: string;
  /** Worker threads of the server's proxy. */
  readonly concurrency?: number;
  /** Of both proxies: how long a request may take on a chain, or a listener, that is no more. */
  readonly drainMs?: number;
}

/** Client proxy → mTLS → server proxy → application: the smallest mesh there is. */
export class ProxyPair implements AsyncDisposable {
  readonly root: TestCertificate;
  readonly app: TestApp;
  readonly client: TestProxy;
  readonly server: TestProxy;
  /** Where the client's application calls. */
  readonly port: number;
  readonly inboundPort: number;

  private constructor(parts: Pick<ProxyPair, "root" | "app" | "client" | "server" | "port" | "inboundPort">) {
    this.root = parts.root;
    this.app = parts.app;
    this.client = parts.client;
    this.server = parts.server;
    this.port = parts.port;
    this.inboundPort = parts.inboundPort;
  }

  static async start(options: PairOptions = {}): Promise<ProxyPair> {
    const root = mintRoot();
    const app = await TestApp.start(options.app);
    const drain = options.drainMs === undefined ? {} : { drainMs: options.drainMs };
    const [client, server] = await Promise.all([
      TestProxy.start(drain),
      TestProxy.start({ name: "server-1", concurrency: options.concurrency ?? 1, ...drain }),
    ]);
    const [port, inboundPort] = [await freePort(), await freePort()];
    const pair = new ProxyPair({ root, app, client, server, port, inboundPort });
    pair.identify(server, options.serverId ?? SERVER_ID, options.serverCertificate, options.serverRoot);
    pair.identify(client, options.clientId ?? CLIENT_ID);
    server.ads.set("cluster", "inbound|80||", staticCluster("inbound|80||", [app.port]));
    pair.listen(options);
    client.ads.set("cluster", CLUSTER, meshCluster(CLUSTER, options.expected ?? SERVER_ID));
    client.ads.set("endpoints", CLUSTER, endpoints(CLUSTER, [inboundPort], options.mode !== "DISABLE"));
    client.ads.set("listener", `127.0.0.1_${port}`, outboundHttp(port, ROUTES));
    client.ads.set("route", ROUTES, routeConfig(ROUTES, options.routes ?? [routeTo(CLUSTER)]));
    await Promise.all([client.ready(), server.ready()]);
    return pair;
  }

  /** The server's listener, new or anew. */
  listen({
    mode = "STRICT",
    filters = [],
    manager = {},
  }: Pick<PairOptions, "mode" | "filters" | "manager">): void {
    const port = this.inboundPort;
    const listener = inboundHttp({ port, mode, cluster: "inbound|80||", filters, manager });
    this.server.ads.set("listener", `127.0.0.1_${port}`, listener);
  }

  /** Gives a proxy an SVID of the mesh's root (or another), and the bundle. */
  identify(
    proxy: TestProxy,
    id: string,
    certificate: MintOptions = {},
    root: TestCertificate = this.root,
  ): void {
    proxy.ads.set("secret", "default", certificateSecret(mintSvid(root, id, certificate)));
    proxy.ads.set("secret", "ROOTCA", rootsSecret(this.root.pem));
  }

  async call(path = "/", options: Parameters<typeof call>[2] = {}): Promise<Reply> {
    return await call(this.port, path, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client[Symbol.asyncDispose](), this.server[Symbol.asyncDispose]()]);
    await this.app[Symbol.asyncDispose]();
  }
}
