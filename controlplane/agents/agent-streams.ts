/** The open streams of each agent, so that they can be cut. */
export class AgentStreams {
  readonly #open = new Map<string, Set<AbortController>>();

  /** A stream has come; its signal is aborted when it is cut. Dispose of it when the stream has gone. */
  open(agentId: string): Disposable & { readonly signal: AbortSignal } {
    const controller = new AbortController();
    const streams = this.#open.get(agentId) ?? new Set();
    this.#open.set(agentId, streams.add(controller));
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        streams.delete(controller);
        if (streams.size === 0 && this.#open.get(agentId) === streams) this.#open.delete(agentId);
      },
    };
  }

  /** Ends an agent's streams: it may come again, and is then judged anew. */
  cut(agentId: string): void {
    for (const stream of this.#open.get(agentId) ?? []) stream.abort();
  }
}
