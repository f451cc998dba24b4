import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { answerOf, indexOf } from "./nomad-answers.ts";
import { type FakeAllocation, type FakeEvents, NomadState } from "./nomad-state.ts";

interface Held {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly after: number;
  readonly response: ServerResponse;
}

interface Stream {
  readonly namespace: string;
  readonly response: ServerResponse;
}

/**
 * A Nomad over HTTP as far as Lateen sees it, in the words of Nomad's API: services, allocations with their checks, nodes,
 * blocking queries, the event stream, workload identities and their keys, plain-text errors and the ACL.
 */
export class NomadDouble implements AsyncDisposable {
  readonly state: NomadState = new NomadState();
  /** When set: what `X-Nomad-Token` must be for anything but the keys, which are public. */
  token: string | undefined;
  /** When set: every answer is this status. */
  broken: number | undefined;
  /** When set: what the event stream answers instead. */
  streamStatus: number | undefined;
  /** How often the keys were asked for. */
  keyRequests = 0;
  /** Paths of all requests so far, in their order. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held: Held[] = [];
  #streams: Stream[] = [];
  #down = false;
  #keys: readonly { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: object }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.rotateKey();
    this.state.onChange = (events) => this.#tell(events);
    server.on("connection", (socket) => {
      if (this.#down) socket.destroy();
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** At a port of loopback, or at a unix socket as the task API is. */
  static async start(path?: string): Promise<NomadDouble> {
    const server = createServer();
    await new Promise<void>((resolve) =>
      path === undefined ? server.listen(0, "127.0.0.1", resolve) : server.listen(path, resolve),
    );
    const double = new NomadDouble(server);
    server.on("request", (request, response) => double.#answer(request, response));
    return double;
  }

  get address(): string {
    const place = this.#server.address();
    return typeof place === "string" ? `unix://${place}` : `http://127.0.0.1:${(place as AddressInfo).port}`;
  }

  /** A running allocation of a job. */
  run(JobID: string, Namespace = "default"): FakeAllocation {
    return this.state.putAllocation({ JobID, Namespace });
  }

  find(id: string): FakeAllocation | undefined {
    return this.state.allocations.get(id);
  }

  /** Open event streams. */
  get streams(): number {
    return this.#streams.length;
  }

  /** As Nomad does when a token is deleted, or a subscriber is too slow. */
  endStreams(last = ""): void {
    for (const { response } of this.#streams) response.end(last);
    this.#streams = [];
  }

  /** Connections break and new ones are refused, until it is up again. */
  down(): void {
    this.#down = true;
    this.#held = [];
    this.#streams = [];
    for (const socket of this.#sockets) socket.destroy();
  }

  up(): void {
    this.#down = false;
  }

  requestsTo(path: RegExp): number {
    return this.requests.filter((request) => path.test(request)).length;
  }

  /** Signs with a new key from now on; the old one stays in the set. */
  rotateKey(): void {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const kid = randomUUID();
    const jwk = { ...publicKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid };
    this.#keys = [{ kid, privateKey, jwk }, ...this.#keys];
  }

  /** The workload identity that Nomad writes for a task of an allocation. */
  workloadIdentity(
    allocation: FakeAllocation,
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
  ): string {
    const now = Math.floor(Date.now() / 1000);
    const [key] = this.#keys;
    if (key === undefined) throw new Error("the double has no key");
    const { ID, JobID, Namespace, TaskGroup } = allocation;
    const parts = [
      { alg: "RS256", kid: key.kid, typ: "JWT", ...header },
      {
        aud: "lateen.example",
        exp: now + 3600,
        iat: now,
        jti: randomUUID(),
        nbf: now,
        nomad_allocation_id: ID,
        nomad_job_id: JobID,
        nomad_namespace: Namespace,
        nomad_task: "lateen",
        sub: `global:${Namespace}:${JobID}:${TaskGroup}:lateen:lateen`,
        ...claims,
      },
    ];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${signed}.${sign("sha256", Buffer.from(signed), key.privateKey).toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.down();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://nomad");
    const path = url.pathname;
    this.requests.push(path);
    if (this.broken !== undefined) return refuse(response, this.broken, "No cluster leader");
    if (path === "/.well-known/jwks.json") {
      this.keyRequests += 1;
      response.setHeader("Cache-Control", "max-age=3600");
      return respond(response, { keys: this.#keys.map(({ jwk }) => jwk) });
    }
    if (this.token !== undefined && request.headers["x-nomad-token"] !== this.token) {
      return refuse(response, 403, "Permission denied");
    }
    const below = path.replace(/^\/v1/, "");
    if (below === "/event/stream") return this.#open(url, response);
    const after = Number(url.searchParams.get("index") ?? 0);
    const held = { path: below, query: url.searchParams, after, response };
    if (after === 0 || indexOf(this.state, below) !== after) return this.#finish(held);
    this.#held.push(held);
    const timer = setTimeout(() => this.#finish(held), waitOf(url));
    response.on("close", () => {
      clearTimeout(timer);
      this.#held = this.#held.filter((other) => other !== held);
    });
  }

  #finish(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
    const { response } = held;
    const answer = answerOf(this.state, held.path, held.query);
    if (answer === undefined) return refuse(response, 404, "not found");
    response.setHeader("X-Nomad-Index", answer.index);
    response.setHeader("X-Nomad-KnownLeader", "true");
    response.setHeader("X-Nomad-LastContact", "0");
    respond(response, answer.body);
  }

  /** Nomad writes the status before it knows whether it may: a stream that is refused ends at once. */
  #open(url: URL, response: ServerResponse): void {
    if (this.streamStatus !== undefined) return refuse(response, this.streamStatus, "Permission denied");
    const namespace = url.searchParams.get("namespace") ?? "default";
    const from = Number(url.searchParams.get("index") ?? 0);
    response.writeHead(200, { "Content-Type": "application/json", Connection: "close" });
    response.write("{}\n");
    const stream = { namespace, response };
    this.#streams.push(stream);
    response.on("close", () => {
      this.#streams = this.#streams.filter((other) => other !== stream);
    });
    for (const events of this.state.buffer) if (events.Index >= from) write(stream, events);
  }

  #tell(events: FakeEvents | undefined): void {
    if (events !== undefined) for (const stream of this.#streams) write(stream, events);
    for (const held of this.#held) if (indexOf(this.state, held.path) !== held.after) this.#finish(held);
  }
}

function write({ namespace, response }: Stream, { Index, Events }: FakeEvents): void {
  const visible = Events.filter(({ Namespace }) => namespace === "*" || namespace === Namespace);
  if (visible.length > 0) response.write(`${JSON.stringify({ Index, Events: visible })}\n`);
}

function waitOf(url: URL): number {
  return Number(/^(\d+)ms$/.exec(url.searchParams.get("wait") ?? "")?.[1] ?? 300_000);
}

function respond(response: ServerResponse, body: unknown): void {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
}
