/** Where a span is in its trace (W3C Trace Context). */
export interface SpanContext {
  /** 32 digits of lower-case hexadecimal. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** `tracestate` as it came; empty: there was none. */
  readonly state: string;
}

/** One request as this proxy sees it. */
export interface Span {
  readonly context: SpanContext;
  /** Undefined: the trace begins here. */
  readonly parentId: string | undefined;
}

/** A span that is over, for its receiver. */
export interface EndedSpan extends Span {
  readonly name: string;
  readonly kind: "server" | "client";
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
}
