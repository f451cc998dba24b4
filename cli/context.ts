import type { Clock } from "../mesh/lifecycle/clock.ts";

interface TextSink {
  /** `taken` is called when the reader has it, or is gone. */
  write(text: string, taken?: (error?: Error | null) => void): void;
}

/** What a command may touch of the world outside; `main.ts` gives the process', tests give their own. */
export interface CliContext {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly readStdin: () => Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Whether stdout takes colours: a terminal, and nobody said no. */
  readonly color: boolean;
  /** Whether stderr is a terminal: logs are then for people. */
  readonly interactive: boolean;
}

/** How a command says with which code the program ends; without it, 0. */
export type Exit = (code: number) => void;
