/** How requests are traced. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Parts of all requests, 0 to 1: of those whose caller asks for it, of the others, and of all that would be. */
  readonly clientSampling: number;
  readonly randomSampling: number;
  readonly overallSampling: number;
  /** Characters that a path is cut to. */
  readonly longestPath: number;
  readonly tags: readonly TraceTag[];
}

export type TraceTag = { readonly name: string } & (
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "header"; readonly header: string; readonly fallback: string }
);

export type Tracer =
  | {
      readonly kind: "otlp";
      readonly cluster: string;
      readonly authority: string;
      readonly service: string;
    }
  | { readonly kind: "zipkin"; readonly cluster: string; readonly authority: string; readonly path: string };
