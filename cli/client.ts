import { Agent, request } from "undici";
import * as z from "zod";
import type { Problem } from "../mesh/admin-api/replies.ts";
import { type ErrorCode, MeshError, messageOf } from "../mesh/errors.ts";
import type { LocatedViolation } from "../mesh/model/violation.ts";
import { describeEndpoint, type Endpoint } from "./endpoint.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly signal?: AbortSignal;
  /** How long the answer may take; 30 s if not given. */
  readonly timeoutMs?: number;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** The admin REST (`mesh/admin-api`). Every call throws a MeshError when the answer is not a success. */
export class AdminClient implements AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #dispatcher: Agent;
  readonly #withoutServer: string | undefined;

  constructor(endpoint: Endpoint, withoutServer?: string) {
    this.#endpoint = endpoint;
    this.#withoutServer = withoutServer;
    this.#dispatcher = new Agent({
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...("socketPath" in endpoint ? { socketPath: endpoint.socketPath } : {}),
        ...("ca" in endpoint ? { ca: endpoint.ca } : {}),
        ...("certificate" in endpoint ? endpoint.certificate : {}),
      },
    });
  }

  get<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#call("GET", path, undefined, options);
  }

  /** A text body goes as YAML, anything else as JSON. */
  post<T>(path: string, body: unknown, options?: CallOptions): Promise<T> {
    return this.#call("POST", path, body, options);
  }

  put<T>(path: string, body: unknown, options?: CallOptions): Promise<T> {
    return this.#call("PUT", path, body, options);
  }

  delete<T>(path: string, options?: CallOptions): Promise<T> {
    return this.#call("DELETE", path, undefined, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #call<T>(method: Method, path: string, body: unknown, options: CallOptions = {}): Promise<T> {
    const { query = {}, signal, timeoutMs = ANSWER_TIMEOUT_MS } = options;
    const origin = "socketPath" in this.#endpoint ? "http://localhost" : this.#endpoint.origin;
    let answer: { readonly status: number; readonly text: string };
    try {
      const response = await request(`${origin}${path}${queryText(query)}`, {
        method,
        dispatcher: this.#dispatcher,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: signal ?? null,
        headers: this.#headers(body),
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      answer = { status: response.statusCode, text: await response.body.text() };
    } catch (error) {
      throw unreachable(this.#endpoint, error, this.#withoutServer);
    }
    return readAnswer(describeEndpoint(this.#endpoint), answer.status, answer.text) as T;
  }

  #headers(body: unknown): Record<string, string> {
    return {
      ...("token" in this.#endpoint ? { authorization: `Bearer ${this.#endpoint.token}` } : {}),
      ...(body === undefined
        ? {}
        : { "content-type": typeof body === "string" ? "application/yaml" : "application/json" }),
    };
  }
}

/** A refusal of the server, with all that was wrong. */
export class RefusedCall extends MeshError {
  readonly violations: readonly LocatedViolation[];

  constructor(problem: Problem) {
    super(problem.code, problem.message, problem.hint === "" ? {} : { hint: problem.hint });
    this.violations = problem.violations ?? [];
  }
}

/** Path segments from user input: a slash or a dot-dot in a name stays inside its segment. */
export function apiPath(strings: TemplateStringsArray, ...values: readonly string[]): string {
  return String.raw({ raw: strings }, ...values.map((value) => encodeURIComponent(value)));
}

const problemSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().default(""),
  violations: z.array(z.custom<LocatedViolation>((value) => typeof value === "object")).optional(),
});

function readAnswer(address: string, status: number, text: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new MeshError("cli.unreachable", `${address} answered ${status} with something that is not JSON`, {
      hint: "is that a lateen server? LATEEN_ADDR says where it is",
    });
  }
  if (status >= 200 && status < 300) return body;
  const problem = problemSchema.safeParse(body);
  if (!problem.success) {
    throw new MeshError(
      "cli.unreachable",
      `${address} answered ${status} in a form that is not a lateen server's`,
    );
  }
  const { violations, ...rest } = problem.data;
  throw new RefusedCall({
    ...rest,
    code: rest.code as ErrorCode,
    ...(violations === undefined ? {} : { violations }),
  });
}

function unreachable(endpoint: Endpoint, cause: unknown, otherwise?: string): MeshError {
  const start = "socketPath" in endpoint ? "lateen server on this host" : "the server";
  return new MeshError(
    "cli.unreachable",
    `reach the server at ${describeEndpoint(endpoint)}: ${messageOf(cause)}`,
    {
      cause,
      hint: [
        `start ${start}, or set LATEEN_ADDR to where it is`,
        ...(otherwise === undefined ? [] : [otherwise]),
      ].join("; or "),
    },
  );
}

function queryText(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const set = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as [string, string]],
  );
  return set.length === 0 ? "" : `?${new URLSearchParams(set).toString()}`;
}
