import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An allocation as the double has it. */
interface Allocation {
  readonly ID: string;
  readonly Namespace: string;
  readonly JobID: string;
  readonly TaskGroup: string;
  readonly NodeID: string;
  readonly NodeName: string;
  DesiredStatus: string;
  ClientStatus: string;
}

/**
 * A Nomad as far as attestation sees it, in Nomad 1.9's own words over HTTP: `/v1/allocation/<id>` and
 * `/.well-known/jwks.json`, with its headers, its plain-text errors and its ACL.
 */
export class NomadDouble implements AsyncDisposable {
  /** When set: what `X-Nomad-Token` must be for anything but the keys, which are public. */
  token: string | undefined;
  /** When set: every answer is this status. */
  broken: number | undefined;
  /** How often the keys were asked for. */
  keyRequests = 0;
  readonly #server: Server;
  readonly #allocations = new Map<string, Allocation>();
  #keys: readonly { readonly kid: string; readonly privateKey: KeyObject; readonly jwk: object }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.rotateKey();
  }

  static async start(): Promise<NomadDouble> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const double = new NomadDouble(server);
    server.on("request", (request, response) => double.#answer(request, response));
    return double;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A running allocation of a job. */
  run(JobID: string, Namespace = "default"): Allocation {
    const allocation: Allocation = {
      ID: randomUUID(),
      Namespace,
      JobID,
      TaskGroup: "app",
      NodeID: randomUUID(),
      NodeName: "client-7",
      DesiredStatus: "run",
      ClientStatus: "running",
    };
    this.#allocations.set(allocation.ID, allocation);
    return allocation;
  }

  find(id: string): Allocation | undefined {
    return this.#allocations.get(id);
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
    allocation: Allocation,
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
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    if (this.broken !== undefined) return refuse(response, this.broken, "No cluster leader");
    if (path === "/.well-known/jwks.json") {
      this.keyRequests += 1;
      response.setHeader("Cache-Control", "max-age=3600");
      return respond(response, { keys: this.#keys.map(({ jwk }) => jwk) });
    }
    if (this.token !== undefined && request.headers["x-nomad-token"] !== this.token) {
      return refuse(response, 403, "Permission denied");
    }
    const id = /^\/v1\/allocation\/([^/?]+)$/.exec(path)?.[1];
    if (id === undefined) return refuse(response, 404, "Invalid method");
    const allocation = this.#allocations.get(id);
    if (allocation === undefined) return refuse(response, 404, "alloc not found");
    response.setHeader("X-Nomad-Index", "42");
    response.setHeader("X-Nomad-KnownLeader", "true");
    response.setHeader("X-Nomad-LastContact", "0");
    respond(response, { ...allocation, Name: `${allocation.JobID}.app[0]`, TaskStates: {}, CreateIndex: 40 });
  }
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
