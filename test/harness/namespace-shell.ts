import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TrafficTally } from "./kept-traffic.ts";
import type { CallOptions, Reply, TcpReply } from "./mesh-calls.ts";
import type { Namespace } from "./network-lab.ts";

const PROGRAM = join(import.meta.dirname, "namespace-program.ts");

/** What a program in a namespace can be asked for. */
export type ShellRequest =
  | { readonly do: "serve"; readonly app: AppKind; readonly name: string; readonly at: Place }
  | {
      readonly do: "call-http";
      readonly origin: string;
      readonly path: string;
      readonly options: CallOptions;
    }
  | { readonly do: "call-h2"; readonly origin: string; readonly authority: string | undefined }
  | { readonly do: "call-tcp"; readonly at: Place; readonly text: string }
  | { readonly do: "call-tls"; readonly at: Place; readonly serverName: string }
  | { readonly do: "begin-traffic"; readonly origin: string }
  | { readonly do: "tell-traffic" | "end-traffic" };

/** `h2`: HTTP/2 with prior knowledge. `greeter`: TCP, the server speaks first. `tls`: TCP behind TLS of its own. */
export type AppKind = "http" | "h2" | "tcp" | "greeter" | "tls";

/** `port` is 0 for the path of a unix socket. */
interface Place {
  readonly address: string;
  readonly port: number;
}

export interface ShellMessage {
  readonly id: number;
  readonly request: ShellRequest;
}

export interface ShellAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Applications of a namespace, and the calls that they make: one process, whose connections are captured. */
export class NamespaceShell implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** `within`: what it is started by, as `setpriv` with its arguments. */
  constructor(namespace: Namespace, within: readonly string[] = []) {
    const [program, ...args] = [...within, process.execPath, PROGRAM];
    this.#child = namespace.spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", ({ id, result, error }: ShellAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${namespace.name}: ${error}`));
    });
    this.#child.once("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`the program in ${namespace.name} ended: ${code ?? signal}`));
      }
    });
  }

  /** An echo application; without a port at the path of a unix socket. */
  async serve(app: AppKind, name: string, address: string, port = 0): Promise<void> {
    await this.#ask({ do: "serve", app, name, at: { address, port } });
  }

  async http(origin: string, path = "/", options: CallOptions = {}): Promise<Reply> {
    return (await this.#ask({ do: "call-http", origin, path, options })) as Reply;
  }

  async http2(origin: string, authority?: string): Promise<Reply> {
    return (await this.#ask({ do: "call-h2", origin, authority })) as Reply;
  }

  async tcp(address: string, port: number, text = "hello"): Promise<TcpReply> {
    return (await this.#ask({ do: "call-tcp", at: { address, port }, text })) as TcpReply;
  }

  async tls(address: string, port: number, serverName: string): Promise<TcpReply> {
    return (await this.#ask({ do: "call-tls", at: { address, port }, serverName })) as TcpReply;
  }

  /** Calls a place all the time from now on. */
  async beginTraffic(origin: string): Promise<void> {
    await this.#ask({ do: "begin-traffic", origin });
  }

  /** What came of it so far. */
  async traffic(): Promise<TrafficTally> {
    return (await this.#ask({ do: "tell-traffic" })) as TrafficTally;
  }

  async endTraffic(): Promise<TrafficTally> {
    return (await this.#ask({ do: "end-traffic" })) as TrafficTally;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await gone;
  }

  #ask(request: ShellRequest): Promise<unknown> {
    const id = ++this.#asked;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, request } satisfies ShellMessage, (error) => {
      if (error !== null) waiting.reject(error);
    });
    return waiting.promise;
  }
}
