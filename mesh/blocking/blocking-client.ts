/** One answer of a catalog. */
export interface CatalogAnswer {
  /** `X-Consul-Index` or `X-Nomad-Index`; undefined when the header is missing or is no number. */
  readonly index: number | undefined;
  /** The answer's JSON, not looked into yet. */
  readonly body: unknown;
}

export interface CatalogRequest {
  /** Below `/v1`, its parts already encoded: `/health/service/reviews`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Milliseconds until the answer must have ended. */
  readonly timeoutMs: number;
}

/** What a catalog with blocking queries is asked through: GET, with limits on all that a bad answer could do. */
export interface CatalogClient {
  /** Throws `registry.unavailable` for everything but a whole JSON answer with status 200, and when aborted. */
  get(request: CatalogRequest, signal: AbortSignal): Promise<CatalogAnswer>;
}

/** An index as a header has it. */
export function parseIndex(header: string): number | undefined {
  return /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
