/** How a cluster's hosts are asked, again and again, whether they are well. */
export interface HealthCheck {
  readonly probe: HealthProbe;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  /** Between checks of a host that is not well. */
  readonly unhealthyIntervalMs: number;
  /** Between checks as long as nobody has called the cluster. */
  readonly noTrafficIntervalMs: number;
  /** At most so much later, by chance: of the first check, and of each. */
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  /** Of the interval, beside `intervalJitterMs`. */
  readonly intervalJitterPercent: number;
  /** So many failures in a row, or passes, change what a host is. */
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
}

export type HealthProbe =
  | {
      readonly kind: "http";
      /** Empty: the cluster's name. */
      readonly host: string;
      readonly path: string;
      readonly method: string;
      /** Statuses of a host that is well; `end` is not in it. */
      readonly expected: readonly StatusRange[];
      /** Failures that count one by one; any other takes a host out at once. */
      readonly retriable: readonly StatusRange[];
    }
  /** `send`, and then wait for all of `receive`, in order; with neither, a connection will do. */
  | { readonly kind: "tcp"; readonly send: Buffer; readonly receive: readonly Buffer[] }
  /** `grpc.health.v1.Health/Check`. */
  | { readonly kind: "grpc"; readonly service: string; readonly authority: string };

export interface StatusRange {
  readonly start: number;
  readonly end: number;
}
