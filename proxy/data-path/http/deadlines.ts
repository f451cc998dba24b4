import type { IncomingMessage } from "node:http";

/** The times that one exchange may take, as one signal for all that works on it. */
export class Deadlines {
  readonly #abort = new AbortController();
  readonly #gone: AbortSignal;
  readonly #onGone: () => void;
  #idle: NodeJS.Timeout | undefined;
  #route: NodeJS.Timeout | undefined;
  #expired: "route" | "idle" | undefined;

  /** `idleMs` of 0 is without limit. */
  constructor(gone: AbortSignal, { idleMs }: { readonly idleMs: number }) {
    this.#gone = gone;
    this.#onGone = () => this.#abort.abort();
    if (gone.aborted) this.#abort.abort();
    gone.addEventListener("abort", this.#onGone, { once: true });
    if (idleMs > 0) this.#idle = setTimeout(() => this.#expire("idle"), idleMs);
  }

  /** Aborted when the caller is gone or a time is over. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Which time is over; undefined when the caller has gone away or nothing has happened. */
  get expired(): "route" | "idle" | undefined {
    return this.#expired;
  }

  /** The route's timeout runs from the end of the request on (Envoy); 0 is without limit. */
  startRouteTimer(request: IncomingMessage, timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    const start = (): void => {
      this.#route ??= setTimeout(() => this.#expire("route"), timeoutMs);
    };
    if (request.complete || hasNoBody(request)) start();
    else request.once("end", start);
  }

  /** Something has moved. */
  touch(): void {
    this.#idle?.refresh();
  }

  stop(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#route);
    this.#gone.removeEventListener("abort", this.#onGone);
  }

  #expire(kind: "route" | "idle"): void {
    this.#expired = kind;
    this.#abort.abort();
  }
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] === undefined && (length === undefined || length === "0");
}
