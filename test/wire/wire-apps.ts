import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import {
  createServer as createTcpServer,
  type ListenOptions,
  type Server as NetServer,
  type Socket,
} from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from "node:tls";
import { TUNNEL_ALPN } from "../../proxy/codec/mux/frames.ts";
import { serveConnectProxy } from "./connect-proxy.ts";
import { takeProxyHeader } from "./proxy-header.ts";
import { CERTIFICATES } from "./wire-certificates.ts";

/** What an application of the table says of a call that reached it. */
export interface Echo {
  readonly app: string;
  /** Which of its connections it came on, from 1. */
  readonly connection: number;
  readonly http?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of the TLS that it came with. */
  readonly serverName?: string;
  readonly alpn?: string;
  /** The suite, in OpenSSL's words. */
  readonly cipher?: string;
  /** CN, or the first URI, of the certificate that the caller showed. */
  readonly client?: string;
  /** `v1 address` of the PROXY header before it. */
  readonly proxied?: string;
}

/** Where an application listens. `port` is 0 for a unix socket. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Answers are small, and not to wait for the caller's acknowledgement. */
const AT_ONCE = { noDelay: true } as const;
const PORTS = { http: 8080, tls: 8443, tcp: 9090 } as const;

/**
 * The applications of the table. Each is at an address of its own. HTTP: `a`, `b`, `c`, `d`, `h2` (prior knowledge), `unix`,
 * `tls` (`secure.test`), `old` (the same with TLS 1.2 and P-256 alone), `proxied` (wants a PROXY header); TCP: `ta`, `tb`, `tc`, `tta` and `ttb` over TLS, `tunix` (a unix socket), `mesh` over mesh
 * TLS, `found` over mesh TLS too, which is HTTP where its ALPN says so, `greeter` (speaks first), `silent` (never says a word); `tunnel` is a CONNECT proxy to `ta`.
 */
export class WireApps implements AsyncDisposable {
  /** `METHOD target` of each request that `tunnel` got. */
  readonly tunnelled: string[] = [];
  readonly #apps = new Map<string, App>();
  readonly #taken = new Map<string, number>();
  readonly #agreements = new Map<string, number>();
  #pings = 0;

  static async start(block: string, folder: string): Promise<WireApps> {
    const apps = new WireApps();
    const all = [...apps.#http(folder), ...apps.#tcp(folder)];
    for (const [index, { name, port, path, make }] of all.entries()) {
      const at = path === undefined ? { host: `${block}.${index + 10}`, port } : { path };
      apps.#apps.set(name, await App.start(make, at));
    }
    return apps;
  }

  at(name: string): Place {
    return this.#app(name).place;
  }

  /** HTTP requests so far. */
  taken(name: string): number {
    return this.#taken.get(name) ?? 0;
  }

  /** Connections of `found` so far that had agreed on this. */
  agreements(alpn: string): number {
    return this.#agreements.get(alpn) ?? 0;
  }

  /** PING frames that `h2` has answered so far. */
  get pings(): number {
    return this.#pings;
  }

  /** Stops taking connections and breaks those that there are. */
  async down(name: string): Promise<void> {
    await this.#app(name).stop();
  }

  /** Every application takes connections again. */
  async allUp(): Promise<void> {
    for (const app of this.#apps.values()) await app.listen();
    this.tunnelled.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#apps.values()].map((app) => app.stop()));
  }

  *#http(folder: string): Iterable<AppSpec> {
    const { secure } = CERTIFICATES;
    const echo = (name: string): RequestListener => httpEcho(name, () => this.#count(name));
    const server = (name: string): Server => createServer({ keepAliveTimeout: 60_000 }, echo(name));
    for (const name of ["a", "b", "c", "d"]) {
      yield { name, port: PORTS.http, make: () => server(name) };
    }
    yield { name: "unix", port: 0, path: join(folder, "app.sock"), make: () => server("unix") };
    yield { name: "h2", port: PORTS.http, make: () => this.#http2(echo("h2")) };
    yield { name: "proxied", port: PORTS.http, make: () => behindProxyHeader(server("proxied")) };
    const tls = {
      cert: secure.pem,
      key: secure.keyPem,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNCallback: firstButHttp2,
    };
    yield { name: "tls", port: PORTS.tls, make: () => overTls(tls, server("tls")) };
    const old = { ...tls, maxVersion: "TLSv1.2", ecdhCurve: "P-256" } as const;
    yield { name: "old", port: PORTS.tls, make: () => overTls(old, server("old")) };
  }

  *#tcp(folder: string): Iterable<AppSpec> {
    const { secure, mesh, root } = CERTIFICATES;
    for (const name of ["ta", "tb", "tc"]) {
      yield { name, port: PORTS.tcp, make: () => createTcpServer(AT_ONCE, tcpEcho(name)) };
    }
    const path = join(folder, "tcp.sock");
    yield { name: "tunix", port: 0, path, make: () => createTcpServer(AT_ONCE, tcpEcho("tunix")) };
    const tls = { cert: secure.pem, key: secure.keyPem, ...AT_ONCE };
    for (const name of ["tta", "ttb"]) {
      yield { name, port: PORTS.tls, make: () => createTlsServer(tls, tcpEcho(name)) };
    }
    const own = {
      cert: mesh.pem,
      key: mesh.keyPem,
      ca: root.pem,
      requestCert: true,
      ALPNProtocols: ["istio"],
    };
    yield { name: "mesh", port: PORTS.tls, make: () => createTlsServer(own, tcpEcho("mesh")) };
    const found = { ...own, ALPNProtocols: undefined, ALPNCallback: firstOfIstio };
    yield { name: "found", port: PORTS.tls, make: () => this.#asSaid(found) };
    yield { name: "greeter", port: PORTS.tcp, make: () => createTcpServer(AT_ONCE, greet) };
    yield { name: "silent", port: PORTS.tcp, make: () => createTcpServer((socket) => void socket.resume()) };
    const tunnel = (socket: Socket): void => serveConnectProxy(socket, this.at("ta"), this.tunnelled);
    yield { name: "tunnel", port: PORTS.tcp, make: () => createTcpServer(tunnel) };
  }

  /** What the ALPN of a connection does not call HTTP is answered as bytes are. */
  #asSaid(options: TlsOptions): NetServer {
    const name = "found";
    const listener = httpEcho(name, () => this.#count(name));
    const [http1, http2] = [createServer(listener), this.#http2(listener)];
    const bytes = tcpEcho(name);
    return createTlsServer(options, (socket) => {
      const facts = tlsFacts(socket);
      const { alpn = "" } = facts;
      this.#agreements.set(alpn, this.agreements(alpn) + 1);
      if (alpn === "istio") bytes(socket);
      else if (alpn === "istio-h2") {
        http2.once("session", (session) => GREETINGS.set(session, facts));
        http2.emit("connection", socket);
      } else {
        GREETINGS.set(socket, facts);
        http1.emit("connection", socket);
      }
    });
  }

  #http2(listener: RequestListener): Http2Server {
    const server = createHttp2Server(listener as never);
    server.on("session", (session) => session.on("ping", () => this.#pings++));
    return server;
  }

  #count(name: string): void {
    this.#taken.set(name, this.taken(name) + 1);
  }

  #app(name: string): App {
    const app = this.#apps.get(name);
    if (app === undefined) throw new Error(`there is no application ${name}`);
    return app;
  }
}

interface AppSpec {
  readonly name: string;
  readonly port: number;
  /** Of a unix socket. */
  readonly path?: string;
  readonly make: () => NetServer | Http2Server;
}

/** A server that can be stopped, and listen again where it was. */
class App {
  readonly #make: AppSpec["make"];
  readonly #at: ListenOptions;
  readonly #sockets = new Set<Socket>();
  #server: NetServer | Http2Server | undefined;

  private constructor(make: AppSpec["make"], at: ListenOptions) {
    this.#make = make;
    this.#at = at;
  }

  static async start(make: AppSpec["make"], at: ListenOptions): Promise<App> {
    const app = new App(make, at);
    await app.listen();
    return app;
  }

  get place(): Place {
    const { host = "", port = 0, path } = this.#at;
    return path === undefined ? { address: host, port } : { address: `unix://${path}`, port: 0 };
  }

  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = this.#make();
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.listen(this.#at);
    await once(server, "listening");
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** What is known of a connection before its first request. */
const GREETINGS = new WeakMap<object, Partial<Echo>>();

/**
 * Headers of a call may ask for more: `x-status` is the status, `x-delay` a wait in milliseconds (of what
 * does not fail), `x-fail` a status or
 * `reset` for the first attempt alone, `x-grpc-status` the gRPC status of an answer (in the head, if `x-grpc-in: head`), `x-fail-at` the only application that fails so, whatever the attempt.
 */
function httpEcho(name: string, count: () => void): RequestListener {
  const numberOf = connectionNumbers();
  return (request, response) => {
    count();
    const socket = transportOf(request);
    const facts = { app: name, connection: numberOf(socket), ...GREETINGS.get(socket) };
    void answer(facts, request, response);
  };
}

async function answer(facts: Echo, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { headers, method = "", url = "" } = request;
  const at = headers["x-fail-at"];
  const fails = at === undefined ? headers["x-envoy-attempt-count"] === "1" : at === facts.app;
  if (!(fails && headers["x-fail"] !== undefined)) await delay(Number(headers["x-delay"] ?? 0));
  if (fails && headers["x-fail"] === "reset") {
    request.socket.destroy();
    return;
  }
  const status = (fails ? headers["x-fail"] : undefined) ?? headers["x-status"] ?? 200;
  const host = headers.host ?? String(headers[":authority"]);
  const echo: Echo = {
    ...facts,
    http: request.httpVersion,
    method,
    path: url,
    headers: { ...headers, host },
  };
  const grpcStatus = headers["x-grpc-status"];
  const grpc = grpcStatus === undefined ? undefined : { "grpc-status": grpcStatus };
  const inHead = headers["x-grpc-in"] === "head" ? grpc : undefined;
  response.writeHead(Number(status), { "content-type": "application/json", "x-app": facts.app, ...inHead });
  if (grpc !== undefined && inHead === undefined) response.addTrailers(grpc);
  response.end(`${JSON.stringify(echo)}\n`);
}

/** The connection itself, whatever HTTP/2 makes of it. */
function transportOf(request: IncomingMessage): object {
  const { stream } = request as { stream?: { session?: object } };
  return stream?.session ?? request.socket;
}

/** Speaks first, as one who answers would. */
function greet(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.resume();
  socket.write(`${JSON.stringify({ app: "greeter", connection: 0 } satisfies Echo)}\nhello\n`);
}

/** Tells what it knows of a connection with the first bytes, then sends back what it gets. */
function tcpEcho(name: string): (socket: Socket) => void {
  const numberOf = connectionNumbers();
  return (socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      const echo: Echo = { app: name, connection: numberOf(socket), ...tlsFacts(socket) };
      socket.write(`${JSON.stringify(echo)}\n`);
    });
    socket.pipe(socket);
  };
}

function tlsFacts(socket: Socket): Partial<Echo> {
  if (!(socket instanceof TLSSocket)) return {};
  const { servername, alpnProtocol } = socket as TLSSocket & { readonly servername?: unknown };
  const peer = socket.getPeerX509Certificate();
  const client = peer?.subjectAltName?.replace(/^URI:/, "") ?? /CN=(.*)/.exec(peer?.subject ?? "")?.[1];
  return {
    ...(typeof servername === "string" && { serverName: servername }),
    ...(typeof alpnProtocol === "string" && { alpn: alpnProtocol }),
    ...(client !== undefined && { client }),
    cipher: socket.getCipher().name,
  };
}

function overTls(options: TlsOptions, server: Server): NetServer {
  return createTlsServer(options, (socket) => {
    GREETINGS.set(socket, tlsFacts(socket));
    server.emit("connection", socket);
  });
}

/** Of what a caller's proxy offers: the first that Istio's have, too. */
function firstOfIstio({ protocols }: { readonly protocols: string[] }): string | undefined {
  return protocols.find((name) => name !== TUNNEL_ALPN);
}

/** Of an application that would not mind being spoken to as one of the mesh, and speaks HTTP/1.1. */
function firstButHttp2({ protocols }: { readonly protocols: string[] }): string | undefined {
  return protocols.find((name) => name !== "h2");
}

function behindProxyHeader(server: Server): NetServer {
  return createTcpServer((socket) => {
    const taken = takeProxyHeader(socket).then((proxied) => {
      GREETINGS.set(socket, { proxied });
      return server.emit("connection", socket);
    });
    taken.catch(() => socket.destroy());
  });
}

function connectionNumbers(): (socket: object) => number {
  const known = new WeakMap<object, number>();
  let last = 0;
  return (socket) => {
    const number = known.get(socket) ?? ++last;
    known.set(socket, number);
    return number;
  };
}
