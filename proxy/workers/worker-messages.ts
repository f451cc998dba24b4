import type { LogFields } from "../../mesh/telemetry/logger.ts";
import type { Interests } from "../ads/interest.ts";
import type { Bootstrap, LogLevel } from "../config.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import type { TrafficWorker } from "./traffic-worker.ts";

/** What a thread is started with. */
export interface ThreadData {
  readonly bootstrap: Bootstrap;
  readonly logLevel: LogLevel;
  readonly drainMs: number;
  readonly inherited: readonly ListeningSocket[];
  /** Shared: where it counts its beats and says how many connections it has, as `PULSE` has it. */
  readonly pulse: Int32Array<SharedArrayBuffer>;
}

/** Places of a pulse. */
export const PULSE = { beats: 0, connections: 1, length: 2 } as const;
export const BEAT_MS = 500;

/** What can be asked of the worker in a thread. */
export type WorkerMethod = Exclude<keyof TrafficWorker, "interests" | "connections">;

export type ArgumentsOf<M extends WorkerMethod> = Parameters<TrafficWorker[M]>;
export type AnswerOf<M extends WorkerMethod> = Awaited<ReturnType<TrafficWorker[M]>>;

export interface WorkerCall {
  readonly id: number;
  readonly method: WorkerMethod;
  readonly args: readonly unknown[];
}

/** What was told by `access` is taken, or lost with its reader. */
interface AccessWritten {
  readonly method: "accessWritten";
  readonly error: string | undefined;
}

export type ToThread = WorkerCall | AccessWritten;

export type FromThread =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly reason: string }
  | { readonly kind: "interests"; readonly interests: Interests }
  /** Lines of access logs. The next are told when these are taken. */
  | { readonly kind: "access"; readonly lines: string }
  | {
      readonly kind: "log";
      readonly level: LogLevel;
      readonly component: string;
      readonly message: string;
      readonly fields: LogFields;
    };
