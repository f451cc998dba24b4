import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { FakeCatalog, type FakeScope } from "./consul-catalog.ts";

/** What the next answer to a path is instead of what it should be. */
export type ConsulFault =
  | { readonly kind: "index"; readonly index: number | "missing"; readonly body?: unknown }
  | { readonly kind: "status"; readonly status: number; readonly body: string }
  /** The first half of the JSON, told as if it were all. */
  | { readonly kind: "truncated" }
  /** Half of the announced answer, then a TCP reset. */
  | { readonly kind: "cut" }
  | { readonly kind: "reset" }
  | { readonly kind: "stall" }
  | { readonly kind: "stall-in-body" }
  | { readonly kind: "huge"; readonly bytes: number }
  /** The right status and a growing index, with nothing in it. */
  | { readonly kind: "empty" }
  | { readonly kind: "body"; readonly body: unknown }
  | { readonly kind: "no-leader-header" };

interface Script {
  readonly path: RegExp;
  readonly fault: ConsulFault;
  left: number;
}

interface Held {
  readonly path: string;
  readonly catalog: FakeCatalog;
  readonly after: number;
  readonly response: ServerResponse;
}

/** A Consul over HTTP with blocking queries, whose next answers can be scripted, and which can lose its data. */
export class ConsulDouble implements AsyncDisposable {
  readonly catalog: FakeCatalog = new FakeCatalog();
  readonly #scopes: FakeCatalog[] = [];
  /** Paths of all requests so far, in their order. */
  readonly requests: string[] = [];
  /** When set, requests without it get 403. */
  token: string | undefined;
  readonly #node: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #scripts: Script[] = [];
  #held: Held[] = [];
  #down = false;

  private constructor(node: string) {
    this.#node = node;
    this.#server = createServer((request, response) => this.#take(request, response));
    this.#server.on("connection", (socket) => {
      if (this.#down) socket.resetAndDestroy();
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.catalog.onChange = (): void => this.#answerHeld();
  }

  static async start(node = "node-1"): Promise<ConsulDouble> {
    const double = new ConsulDouble(node);
    double.#server.listen(0, "127.0.0.1");
    await once(double.#server, "listening");
    return double;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What is answered to questions for that datacenter and namespace from now on; to others, `catalog`. */
  scope(scope: FakeScope): FakeCatalog {
    const catalog = new FakeCatalog(scope);
    catalog.onChange = (): void => this.#answerHeld();
    this.#scopes.push(catalog);
    return catalog;
  }

  /** The next `times` answers to paths that match have this fault; a query that is being held has it at once. */
  script(path: RegExp, fault: ConsulFault, times = 1): void {
    this.#scripts.push({ path, fault, left: times });
    this.#answerHeld();
  }

  /** From now on all answers are as they should be. */
  heal(): void {
    this.#scripts = [];
  }

  /** Connections break and new ones are refused, until it is up again. */
  down(): void {
    this.#down = true;
    this.#held = [];
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  up(): void {
    this.#down = false;
  }

  requestsTo(path: RegExp): number {
    return this.requests.filter((request) => path.test(request)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.down();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://consul");
    const path = url.pathname.replace(/^\/v1/, "");
    this.requests.push(path);
    if (this.token !== undefined && request.headers["x-consul-token"] !== this.token) {
      response.writeHead(403).end("Permission denied");
      return;
    }
    const catalog = this.#catalogOf(url.searchParams);
    const held = { path, catalog, after: Number(url.searchParams.get("index") ?? 0), response };
    this.#held.push(held);
    const timer = setTimeout(() => this.#finish(held), waitOf(url));
    response.on("close", () => {
      clearTimeout(timer);
      this.#held = this.#held.filter((other) => other !== held);
    });
    this.#answerHeld();
  }

  #answerHeld(): void {
    for (const held of this.#held) {
      const index = this.#answer(held)?.index;
      const scripted = this.#scripts.some(({ path, left }) => left > 0 && path.test(held.path));
      if (scripted || index === undefined || held.after === 0 || index > held.after) this.#finish(held);
    }
  }

  #catalogOf(query: URLSearchParams): FakeCatalog {
    const [datacenter, namespace] = [query.get("dc"), query.get("ns")];
    const asked = this.#scopes.find(
      ({ scope }) =>
        (datacenter === null || scope.datacenter === datacenter) && (namespace ?? "") === scope.namespace,
    );
    return asked ?? this.catalog;
  }

  #answer({
    path,
    catalog,
  }: Pick<Held, "path" | "catalog">): { readonly index?: number; readonly body: unknown } | undefined {
    if (path === "/status/leader") return { body: "127.0.0.1:8300" };
    if (path === "/agent/services") return { body: catalog.agentServices(this.#node) };
    if (path === "/agent/checks") return { body: catalog.agentChecks(this.#node) };
    if (path === "/agent/self") {
      return {
        body: {
          Config: { NodeName: this.#node, Datacenter: this.catalog.scope.datacenter },
          Member: { Addr: this.catalog.addressOf(this.#node) },
        },
      };
    }
    return catalog.answer(path);
  }

  #finish(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
    const script = this.#scripts.find(({ path, left }) => left > 0 && path.test(held.path));
    if (script !== undefined) script.left--;
    const answer = this.#answer(held);
    if (answer === undefined) held.response.writeHead(404).end("no such path");
    else respond(held.response, answer, script?.fault);
  }
}

function waitOf(url: URL): number {
  return Number(/^(\d+)ms$/.exec(url.searchParams.get("wait") ?? "")?.[1] ?? 300_000);
}

function respond(
  response: ServerResponse,
  answer: { readonly index?: number; readonly body: unknown },
  fault: ConsulFault | undefined,
): void {
  const text = JSON.stringify(answer.body);
  const half = text.slice(0, Math.floor(text.length / 2));
  if (answer.index !== undefined) response.setHeader("X-Consul-Index", answer.index);
  response.setHeader("Content-Type", "application/json");
  switch (fault?.kind) {
    case undefined:
      response.end(text);
      return;
    case "index":
      if (fault.index === "missing") response.removeHeader("X-Consul-Index");
      else response.setHeader("X-Consul-Index", fault.index);
      response.end(fault.body === undefined ? text : JSON.stringify(fault.body));
      return;
    case "status":
      response.writeHead(fault.status).end(fault.body);
      return;
    case "truncated":
      response.end(half);
      return;
    case "cut":
    case "stall-in-body":
      response.setHeader("Content-Length", text.length);
      response.write(half, () => {
        if (fault.kind === "cut") response.socket?.resetAndDestroy();
      });
      return;
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "stall":
      return;
    case "huge":
      pour(response, fault.bytes);
      return;
    case "empty":
      response.setHeader("X-Consul-Index", (answer.index ?? 0) + 1);
      response.end(Array.isArray(answer.body) ? "[]" : "{}");
      return;
    case "body":
      response.end(JSON.stringify(fault.body));
      return;
    case "no-leader-header":
      response.setHeader("X-Consul-KnownLeader", "false");
      response.end(text);
      return;
    default:
      fault satisfies never;
  }
}

/** One valid JSON list of that many bytes, written as fast as it is read. */
function pour(response: ServerResponse, bytes: number): void {
  const chunk = Buffer.alloc(1 << 20, " ");
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= chunk.length;
      if (!response.write(chunk)) {
        response.once("drain", more);
        return;
      }
    }
    response.end("]");
  };
  response.write("[");
  more();
}
