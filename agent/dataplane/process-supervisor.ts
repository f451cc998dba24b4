import { rm } from "node:fs/promises";
import { messageOf } from "../../mesh/errors.ts";
import { backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { runTasks } from "../../mesh/lifecycle/run-tasks.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { DataPlaneNode } from "../bootstrap/data-plane-node.ts";
import { Changes } from "../state/changes.ts";
import { orAborted } from "../state/or-aborted.ts";
import type { WorkloadPaths } from "../state/paths.ts";
import { ensurePrivateDir, writePrivate } from "../state/private-files.ts";
import { askServerInfo, isReady, isSilent } from "./admin-client.ts";
import type {
  Concurrency,
  DataPlaneProcess,
  DrainTarget,
  ProxyProgram,
  WorkerThreads,
} from "./data-plane.ts";
import { openLog, tailLines } from "./log-tail.ts";
import { readRecord, removeRecord, writeRecord } from "./process-record.ts";
import { processStartTime } from "./process-start-time.ts";
import { adoptProcess, type ProxyProcess, spawnProcess } from "./proxy-process.ts";
import { stopProcess } from "./stop-process.ts";
import { nextState, type SupervisorEvent, type SupervisorState } from "./supervisor-state.ts";
import { Turns } from "./turns.ts";
import { WorkerCount } from "./worker-count.ts";

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a drain may take before the process is killed. */
  readonly drainMs: number;
  /** What the process gets to see of the agent's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** In [0, 1). */
  readonly random: () => number;
  /** When a process that runs counts as hanging; a default otherwise. */
  readonly hang?: HangRule;
  /** In which those of a host hand over. */
  readonly turns?: Turns;
}

interface HangRule {
  /** Between two looks. */
  readonly everyMs: number;
  readonly answerWithinMs: number;
  /** Looks in a row without an answer after which it is killed. */
  readonly misses: number;
}

/** Half a minute of silence: far more than a busy host or a collected heap costs. */
const HANG: HangRule = { everyMs: 5000, answerWithinMs: 5000, misses: 3 };
const RESTART = { firstMs: 200, maxMs: 30_000 } as const;
/** A process that ran this long was not started in vain: the next crash counts as the first. */
const STABLE_MS = 10_000;
const READY_POLL_MS = 50;
const READY_POLL_SLOWEST_MS = 1000;
/** For calls that came in right before no more were taken. */
const LAST_CALLS_MS = 1_000;
const DRAIN_POLL_MS = 100;
/** A proxy gives its successor up after a minute. */
const LONGEST_SUCCESSION_MS = 65_000;

const UNSAID: Concurrency = { said: () => undefined, changes: new Changes() };

/** Keeps one data plane process alive, drains and stops it. */
export class ProcessSupervisor implements DataPlaneProcess {
  readonly #program: ProxyProgram;
  readonly #node: DataPlaneNode;
  readonly #files: WorkloadPaths;
  readonly #options: SupervisorOptions;
  readonly #concurrency: Concurrency;
  readonly #workers: WorkerCount;
  #state: SupervisorState = { kind: "stopped" };
  #process: ProxyProcess | undefined;
  /** Ends when the last process that handed over has ended. */
  #former: Promise<unknown> = Promise.resolve();
  #released = false;

  constructor(
    program: ProxyProgram,
    node: DataPlaneNode,
    files: WorkloadPaths,
    options: SupervisorOptions,
    concurrency: Concurrency = UNSAID,
  ) {
    this.#concurrency = concurrency;
    this.#program = program;
    this.#node = node;
    this.#files = files;
    this.#options = options;
    const { turns = new Turns() } = options;
    this.#workers = new WorkerCount({ ...options, ...files, program, concurrency, turns });
  }

  get threads(): WorkerThreads | undefined {
    return this.#workers.threads;
  }

  get state(): SupervisorState {
    return this.#state;
  }

  async run(signal: AbortSignal): Promise<void> {
    await ensurePrivateDir(this.#files.run);
    const log = await openLog(this.#files.log);
    const gone = new AbortController();
    try {
      await runTasks(
        gone.signal,
        (gone) => tailLines(this.#files.log, (line) => this.#logLine(line), gone),
        async (stopTailing) => {
          try {
            await this.#supervise(AbortSignal.any([signal, stopTailing]), log.fd, stopTailing);
          } finally {
            if (!this.#released) await this.#stop();
            gone.abort();
          }
        },
      );
    } finally {
      await log.close();
    }
  }

  async drain(): Promise<void> {
    const process = this.#process;
    if (process === undefined || this.#state.kind === "draining") return;
    this.#move({ kind: "drain", deadline: this.#options.clock.monotonic() + this.#options.drainMs });
    await this.#program.drain(this.#drainTarget(process)).catch((error: unknown) => {
      this.#options.logger.warn("the data plane could not be told to drain", { error: messageOf(error) });
    });
  }

  release(): void {
    this.#released = true;
  }

  async #supervise(signal: AbortSignal, logDescriptor: number, gone: AbortSignal): Promise<void> {
    const { clock, logger, random } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const started = clock.monotonic();
      let reason: string | undefined;
      try {
        reason = await this.#runOnce(attempt, signal, logDescriptor, gone);
      } catch (error) {
        reason = messageOf(error);
      }
      if (signal.aborted || this.#state.kind === "draining") break;
      this.#process = undefined;
      if (clock.monotonic() - started >= STABLE_MS) attempt = 0;
      const isSucceeded = (await this.#answering()) !== undefined;
      const delay = isSucceeded ? 0 : backoffMs(RESTART, attempt, random());
      this.#move({
        kind: "crashed",
        attempt,
        until: clock.monotonic() + delay,
        reason: reason ?? "it ended",
      });
      if (isSucceeded) logger.info("the data plane was succeeded by another process", { reason });
      else logger.error("data plane ended and is started again", { reason, attempt, delayMs: delay });
      await clock.sleep(delay, signal);
    }
  }

  /**
   * From the start of a process to the end of it, or of the last of those that it handed over to; returns the way that one
   * ended, or undefined when the signal was aborted first.
   */
  async #runOnce(
    attempt: number,
    signal: AbortSignal,
    logDescriptor: number,
    gone: AbortSignal,
  ): Promise<string | undefined> {
    let process = (await this.#adopt(signal, gone)) ?? (await this.#spawn(logDescriptor));
    this.#move({ kind: "started", attempt, pid: process.pid });
    for (;;) {
      this.#process = process;
      const ended = new AbortController();
      const exit = process.exited.finally(() => ended.abort());
      const over = AbortSignal.any([signal, ended.signal]);
      const successor = (await this.#becomesReady(over)) && (await this.#whileReady(process, over, gone));
      // Of one that drains by now, whoever took its place is stopped with it.
      if (!successor || this.#state.kind === "draining") return await orAborted(exit, signal);
      this.#former = exit;
      process = successor;
      this.#move({ kind: "succeeded", pid: process.pid });
    }
  }

  /** Until the process or the wait is over, or another one that it handed over to has taken its place, which it returns. */
  async #whileReady(
    process: ProxyProcess,
    over: AbortSignal,
    gone: AbortSignal,
  ): Promise<ProxyProcess | undefined> {
    this.#move({ kind: "ready", now: this.#options.clock.now() });
    const succeeded = new AbortController();
    const either = AbortSignal.any([over, succeeded.signal]);
    const fitting = this.#workers.fit(process.pid, over, async () => {
      // There are never more than two that have connections.
      await orAborted(this.#former, over);
      return over.aborted ? undefined : await this.#succeed(process, over, gone);
    });
    const [successor] = await Promise.all([
      fitting.finally(() => succeeded.abort()),
      this.#watchForHang(process, either),
    ]);
    return successor;
  }

  /** Until the process or the wait is over; kills the process when it has been silent for too long. */
  async #watchForHang(process: ProxyProcess, over: AbortSignal): Promise<void> {
    const { clock, logger, hang = HANG } = this.#options;
    for (let missed = 0; !over.aborted && missed < hang.misses; ) {
      await clock.sleep(hang.everyMs, over);
      if (over.aborted) return;
      missed = (await isSilent(this.#files.adminSocket, hang.answerWithinMs, over)) ? missed + 1 : 0;
    }
    if (over.aborted) return;
    logger.error("the data plane hangs and is killed", { pid: process.pid, misses: hang.misses });
    process.kill("SIGKILL");
  }

  /** Without a time limit: a proxy that waits for its first configuration is as it should be. */
  async #becomesReady(over: AbortSignal): Promise<boolean> {
    for (let wait = READY_POLL_MS; !over.aborted; wait = Math.min(wait * 1.5, READY_POLL_SLOWEST_MS)) {
      if (await isReady(this.#files.adminSocket)) return !over.aborted;
      await this.#options.clock.sleep(wait, over);
    }
    return false;
  }

  /**
   * The process that the last agent left, if it serves this very node; another one that it left is stopped. One of another
   * version puts a successor in its place first.
   */
  async #adopt(signal: AbortSignal, gone: AbortSignal): Promise<ProxyProcess | undefined> {
    const { clock, logger } = this.#options;
    const record = await readRecord(this.#files.processRecord);
    if (record === undefined) return await this.#adoptAnswering(gone);
    const process = adoptProcess(record.pid, record.startTime, clock, gone);
    const fits = record.kind === this.#program.kind && record.nodeId === this.#node.id;
    if (fits && (await askServerInfo(this.#files.adminSocket))?.nodeId === this.#node.id) {
      const { succession } = this.#program;
      const isOther = record.version !== undefined && record.version !== succession?.version;
      if (isOther) logger.info("a data plane of another version hands over", { pid: process.pid });
      const successor = isOther ? await this.#succeed(process, signal, gone) : undefined;
      if (successor !== undefined) return successor;
      logger.info("took over the data plane that was left running", { pid: record.pid });
      return process;
    }
    logger.warn("stopping a data plane that was left behind and does not answer as it should", {
      pid: record.pid,
    });
    await stopProcess(process, clock);
    return undefined;
  }

  /** Lets a process hand over to one that is as it should be. Undefined when it goes on itself, as it does in doubt. */
  async #succeed(
    process: ProxyProcess,
    signal: AbortSignal,
    gone: AbortSignal,
  ): Promise<ProxyProcess | undefined> {
    const { clock, logger } = this.#options;
    const ended = new AbortController();
    void process.exited.then(() => ended.abort());
    const over = AbortSignal.any([signal, ended.signal]);
    await this.#writeBootstrap();
    this.#program.succession?.begin(this.#drainTarget(process));
    const deadline = clock.monotonic() + LONGEST_SUCCESSION_MS;
    for (let isLast = false; !isLast; await clock.sleep(READY_POLL_MS, over)) {
      // It may end as soon as the other one answers: that is looked for once more.
      isLast = over.aborted || clock.monotonic() >= deadline;
      const successor = await this.#answering();
      if (successor !== undefined && successor !== process.pid) return await this.#adoptAnswering(gone);
    }
    if (!over.aborted) logger.error("it did not hand over, and goes on", { pid: process.pid });
    return undefined;
  }

  /** A process that serves this node and was started by its predecessor, not by an agent. */
  async #adoptAnswering(gone: AbortSignal): Promise<ProxyProcess | undefined> {
    const pid = await this.#answering();
    const startTime = pid === undefined ? undefined : processStartTime(pid);
    if (pid === undefined || startTime === undefined) return undefined;
    await this.#record(pid);
    this.#options.logger.info("took over the successor of a data plane", { pid });
    return adoptProcess(pid, startTime, this.#options.clock, gone);
  }

  /** The pid of who answers for this node; undefined: nobody does, or who does not tell. */
  async #answering(): Promise<number | undefined> {
    const info = await askServerInfo(this.#files.adminSocket);
    return info?.nodeId === this.#node.id ? info.pid : undefined;
  }

  async #spawn(logDescriptor: number): Promise<ProxyProcess> {
    const command = await this.#writeBootstrap();
    // A socket file of a process that was killed would keep the next one from binding.
    await rm(this.#files.adminSocket, { force: true });
    const { environment, logger } = this.#options;
    const process = await spawnProcess(command, { logDescriptor, environment });
    await this.#record(process.pid);
    logger.info("started the data plane", { pid: process.pid, kind: this.#program.kind });
    return process;
  }

  /** Returns the command that starts a process with it. */
  async #writeBootstrap(): Promise<readonly string[]> {
    const { bootstrap } = this.#files;
    const command = this.#program.command(bootstrap, this.#concurrency.said()?.concurrency);
    const content = this.#program.bootstrap(this.#node, command);
    await writePrivate(bootstrap, JSON.stringify(content, undefined, 1));
    return command;
  }

  async #record(pid: number): Promise<void> {
    const { kind, succession } = this.#program;
    const version = succession === undefined ? {} : { version: succession.version };
    try {
      await writeRecord(this.#files.processRecord, { pid, nodeId: this.#node.id, kind, ...version });
    } catch (error) {
      // It serves all the same; only its adoption after a crash of this agent is lost.
      this.#options.logger.warn("could not record the data plane's process", { error: messageOf(error) });
    }
  }

  async #stop(): Promise<void> {
    const process = this.#process;
    if (process !== undefined) {
      await this.drain();
      await this.#waitForDrain(process);
      await stopProcess(process, this.#options.clock);
      await this.#stopSuccessor();
      this.#process = undefined;
      await removeRecord(this.#files.processRecord);
      this.#options.logger.info("stopped the data plane", { pid: process.pid });
    }
    this.#move({ kind: "stopped" });
  }

  /** One that took the place of the process just when that was told to end. */
  async #stopSuccessor(): Promise<void> {
    const { clock, drainMs } = this.#options;
    const successor = await this.#adoptAnswering(new AbortController().signal);
    if (successor === undefined) return;
    const target = this.#drainTarget(successor);
    await this.#program
      .drain(target)
      .catch((error: unknown) =>
        this.#options.logger.warn("the data plane could not be told to drain", { error: messageOf(error) }),
      );
    const ended = new AbortController();
    void successor.exited.then(() => ended.abort());
    await this.#untilDrained(target, clock.monotonic() + drainMs, ended.signal);
    await stopProcess(successor, clock);
  }

  async #waitForDrain(process: ProxyProcess): Promise<void> {
    if (this.#state.kind !== "draining") return;
    const { clock } = this.#options;
    const ended = new AbortController();
    void process.exited.then(() => ended.abort());
    const target = this.#drainTarget(process);
    await this.#untilDrained(target, this.#state.deadline, ended.signal);
    const { stopAccepting } = this.#program;
    if (stopAccepting === undefined || ended.signal.aborted) return;
    await stopAccepting(target).catch((error: unknown) => {
      this.#options.logger.warn("the data plane could not be told to take no more connections", {
        error: messageOf(error),
      });
    });
    await this.#untilDrained(target, clock.monotonic() + LAST_CALLS_MS, ended.signal);
  }

  async #untilDrained(target: DrainTarget, deadline: number, ended: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!ended.aborted && clock.monotonic() < deadline) {
      if (await this.#program.isDrained(target).catch(() => true)) return;
      await clock.sleep(Math.min(DRAIN_POLL_MS, deadline - clock.monotonic()), ended);
    }
  }

  #drainTarget(process: ProxyProcess): DrainTarget {
    return { adminSocket: this.#files.adminSocket, kill: (signal) => process.kill(signal) };
  }

  #move(event: SupervisorEvent): void {
    this.#state = nextState(this.#state, event);
  }

  #logLine(line: string): void {
    const { level, message } = this.#program.parseLogLine(line);
    this.#options.logger[level]("data plane", { line: message });
  }
}
