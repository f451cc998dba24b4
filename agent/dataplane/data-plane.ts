import type { DataPlaneNode } from "../bootstrap/data-plane-node.ts";
import type { Changes } from "../state/changes.ts";
import type { WorkloadPaths } from "../state/paths.ts";
import type { SupervisorState } from "./supervisor-state.ts";

/** A kind of proxy that can serve workloads: Envoy, the built-in one. */
export interface DataPlane {
  readonly kind: "envoy" | "builtin";
  /** Throws `agent.dataplane`, with what to do, when its program is missing or too old. */
  check(signal: AbortSignal): Promise<void>;
  /** The process of one node; it does nothing before its `run`. */
  create(node: DataPlaneNode, files: WorkloadPaths, concurrency?: Concurrency): DataPlaneProcess;
}

/** What is said of a data plane's worker threads. */
export interface Concurrency {
  /** 0: one for each core; undefined: nobody says. Nothing at all as long as it is not known what is said. */
  said(): { readonly concurrency: number | undefined } | undefined;
  /** Notified when it may be said otherwise. */
  readonly changes: Pick<Changes, "subscribe">;
}

/** How many worker threads a process has, and how many the one after it will have. */
export interface WorkerThreads {
  readonly now: number;
  readonly next: number;
}

/** One supervised process. */
export interface DataPlaneProcess {
  readonly state: SupervisorState;
  /** Of the process that runs; undefined: none does, or it does not tell. */
  readonly threads: WorkerThreads | undefined;
  /**
   * Keeps the process running, starting it again when it dies, until the signal is aborted: then drains it, stops it and
   * returns when it is gone. A process that an agent before this one left behind is taken over instead of started twice.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Asks it to take no new connections and to finish those it has. Returns when it was told, and never throws. */
  drain(): Promise<void>;
  /** At the end of its run the process is left as it is, for an agent that comes after this one. */
  release(): void;
}

/** What the supervisor must know of a kind of proxy. */
export interface ProxyProgram {
  readonly kind: DataPlane["kind"];
  /** Program and arguments that start it with a bootstrap file. */
  command(bootstrapFile: string, concurrency: number | undefined): readonly string[];
  /** Worker threads of a process that is started with this concurrency; undefined: that is for the process to say. */
  workers(concurrency: number | undefined): number | undefined;
  /** Content of the bootstrap file, before it is made JSON; `command` is the one that starts it. */
  bootstrap(node: DataPlaneNode, command: readonly string[]): unknown;
  /**
   * Of one that can put a successor of itself in its place: a process of another version does so when it is found, and one
   * with another number of worker threads than is wanted.
   */
  readonly succession?: {
    readonly version: string;
    /** The command in its bootstrap file starts the successor, which answers at the same socket when it has taken over. */
    begin(process: DrainTarget): void;
  };
  /** Tells the running process to drain. May throw: it is stopped all the same. */
  drain(process: DrainTarget): Promise<void>;
  /**
   * Takes no more connections; those that are there go on. Asked of a program that is ended from outside, once nothing is
   * left: what comes between that look and its end would be cut off.
   */
  readonly stopAccepting?: (process: DrainTarget) => Promise<void>;
  /** True when nothing is left to drain. A program that ends by itself after its drain always says false. */
  isDrained(process: DrainTarget): Promise<boolean>;
  parseLogLine(line: string): ProxyLogLine;
}

export interface DrainTarget {
  readonly adminSocket: string;
  kill(signal: NodeJS.Signals): void;
}

export interface ProxyLogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}
