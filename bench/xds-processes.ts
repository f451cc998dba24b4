import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** A request by name with its number; an answer has the same number. */
interface Envelope {
  readonly id: number;
  readonly name: string;
  readonly body: unknown;
}

type Reply =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string };

type Handlers<Q, A extends { [N in keyof Q]: unknown }> = {
  readonly [N in keyof Q]: (request: Q[N]) => A[N] | Promise<A[N]>;
};

/** In a child process: answers the parent's requests until the parent lets go. */
export function answerParent<Q, A extends { [N in keyof Q]: unknown }>(handlers: Handlers<Q, A>): void {
  process.on("message", (envelope: Envelope) => void answer(envelope));
  process.on("disconnect", () => process.exit());

  async function answer({ id, name, body }: Envelope): Promise<void> {
    try {
      const handler = handlers[name as keyof Q];
      process.send?.({ id, answer: await handler(body as Q[keyof Q]) });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}

/** A process of the benchmark; it ends when this is disposed of. */
export class Child<Q, A extends { [N in keyof Q]: unknown }> implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #ids = 0;

  constructor(file: URL, execArgv: readonly string[] = []) {
    this.#process = fork(file, {
      execArgv: [...execArgv],
      serialization: "advanced",
    });
    this.#process.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("error" in reply) waiting?.reject(new Error(`${file.pathname}: ${reply.error}`));
      else waiting?.resolve(reply.answer);
    });
    this.#process.on("exit", (code) => {
      const error = new Error(`${file.pathname} ended with ${String(code)}`);
      for (const waiting of this.#waiting.values()) waiting.reject(error);
    });
  }

  async ask<N extends keyof Q & string>(name: N, body: Q[N]): Promise<A[N]> {
    const id = ++this.#ids;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#process.send({ id, name, body } satisfies Envelope);
    return (await promise) as A[N];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.disconnect();
    await exited;
  }
}
