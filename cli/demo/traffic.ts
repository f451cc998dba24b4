import { Agent, request } from "undici";

export interface Reply {
  /** 0: no answer at all. */
  readonly status: number;
  readonly body: string;
  /** `x-forwarded-client-cert` of each hop, as the called services saw it. */
  readonly peers: readonly string[];
  readonly elapsedMs: number;
  readonly failure: string;
}

/** A browser in front of productpage: plain HTTP to its host, as somebody outside the mesh sends it. */
export class Browser implements AsyncDisposable {
  readonly #origin: string;
  readonly #connections = new Agent({ connections: 8, pipelining: 1, headersTimeout: 15_000 });

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** One GET; an unreachable server is a reply with status 0, not an error. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const start = performance.now();
    try {
      const answer = await request(`${this.#origin}${path}`, { headers, dispatcher: this.#connections });
      const body = await answer.body.text();
      const peers = answer.headers["x-bookinfo-peers"];
      return {
        status: answer.statusCode,
        body,
        peers: typeof peers === "string" ? peers.split(" | ") : [],
        elapsedMs: performance.now() - start,
        failure: "",
      };
    } catch (error) {
      return { status: 0, body: "", peers: [], elapsedMs: performance.now() - start, failure: String(error) };
    }
  }

  /** Calls `perSecond` times a second until aborted, never more than 16 at once, and reports each reply. */
  async browse(
    path: string,
    perSecond: number,
    onReply: (reply: Reply) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const open = new Set<Promise<void>>();
    const start = performance.now();
    for (let sent = 0; !signal.aborted; sent++) {
      const due = start + (sent * 1000) / perSecond;
      await pause(due - performance.now(), signal);
      if (open.size >= 16) await Promise.race(open);
      const call = this.get(path).then(onReply);
      open.add(call);
      void call.finally(() => open.delete(call));
    }
    await Promise.all(open);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections.close();
  }
}

/** Waits, or returns early when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
