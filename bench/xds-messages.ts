/** What the processes of the benchmark say to each other. Times are microseconds of the machine's monotonic clock. */

export interface MeshLayout {
  readonly services: number;
  readonly endpoints: number;
  /** The services are spread over this many ports, so a port's listener and routes are for `services / ports` of them. */
  readonly ports: number;
  readonly proxies: number;
  /** Proxies that get only the first services, this many; the others get all. */
  readonly scoped?: { readonly proxies: number; readonly services: number };
}

export interface ServerAnswers {
  start: {
    readonly port: number;
    readonly tls: ClientTls;
    readonly nodes: readonly string[];
    /** From an empty mesh to one node's resources. */
    readonly snapshotMs: number;
  };
  show: { readonly type: string; readonly name: string };
  change: { readonly at: number };
  usage: Usage;
}

export interface ServerRequests {
  start: MeshLayout;
  /** As which resource such a change will be seen. */
  show: { readonly kind: "endpoint" | "route"; readonly service: number };
  change: { readonly kind: "endpoint" | "route"; readonly service: number };
  usage: { readonly collect: boolean };
}

export interface ClientTls {
  readonly roots: readonly string[];
  readonly keyPem: string;
  readonly chainPem: string;
}

export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** In use, garbage left out. */
  readonly liveBytes: number;
  /** Live JavaScript objects and what they hold outside the heap. */
  readonly heapBytes: number;
}

export interface SubscriberRequests {
  /** Opens streams; answered when each has all of its configuration. */
  connect: {
    readonly port: number;
    readonly tls: ClientTls;
    readonly nodes: readonly string[];
    readonly streamsPerConnection: number;
  };
  /** Answered at once: from now on it is counted who receives this resource. */
  expect: { readonly type: string; readonly name: string };
  /** Answered when that many streams have it. */
  received: { readonly streams: number };
  close: Record<string, never>;
}

export interface SubscriberAnswers {
  connect: { readonly completeAt: number; readonly bytes: number };
  expect: Record<string, never>;
  received: {
    /** When the last of them had it. */
    readonly lastAt: number;
    /** Of all streams since `expect`: responses, and how many resources they had. */
    readonly responses: number;
    readonly resources: number;
    readonly bytes: number;
    /** Streams that received anything. */
    readonly streams: number;
  };
  close: Record<string, never>;
}

/** Microseconds; the same clock in all processes of the machine. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
