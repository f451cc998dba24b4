/** What a worker's thread runs: one `TrafficWorker`, asked by messages. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../mesh/errors.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { LOG_LEVELS, type LogLevel } from "../config.ts";
import { ListeningSockets } from "../data-path/listener/listening-sockets.ts";
import { systemResolver } from "../data-path/upstream/dns-endpoints.ts";
import { threadLogger } from "./thread-logger.ts";
import { TrafficWorker } from "./traffic-worker.ts";
import {
  BEAT_MS,
  type FromThread,
  PULSE,
  type ThreadData,
  type ToThread,
  type WorkerCall,
} from "./worker-messages.ts";

serve(parentPort as MessagePort, workerData as ThreadData);

function serve(parent: MessagePort, data: ThreadData): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
  const tell = (message: FromThread): void => parent.postMessage(message);
  let leastLogged = data.logLevel;
  /** For lines of access logs that are on their way; they are taken in order. */
  const untaken: PromiseWithResolvers<void>[] = [];
  const isLogged = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(leastLogged);
  const worker = new TrafficWorker({
    bootstrap: data.bootstrap,
    sockets: new ListeningSockets(data.inherited, true),
    logger: threadLogger(tell, isLogged),
    clock: systemClock,
    random: Math.random,
    resolve: systemResolver,
    drainMs: data.drainMs,
    writeAccessLog: async (lines) => {
      tell({ kind: "access", lines });
      const taken = Promise.withResolvers<void>();
      untaken.push(taken);
      await taken.promise;
    },
    interestsChanged: () => tellInterests(),
  });
  const tellInterests = (): void => tell({ kind: "interests", interests: worker.interests() });

  // Updates come in while others are being taken, and each builds on the one before.
  let applied: Promise<unknown> = Promise.resolve();
  const ask = async ({ method, args }: WorkerCall): Promise<unknown> => {
    const run = (): unknown => Reflect.apply(worker[method], worker, args);
    if (method !== "apply") return await run();
    const done = applied.then(run).finally(tellInterests);
    applied = done.catch(() => {});
    return await done;
  };
  parent.on("message", (call: ToThread) => {
    if (call.method === "accessWritten") {
      const taken = untaken.shift();
      if (call.error === undefined) taken?.resolve();
      else taken?.reject(new Error(call.error));
      return;
    }
    if (call.method === "setLogLevel") leastLogged = call.args[0] as LogLevel;
    ask(call).then(
      (value) => tell({ kind: "answer", id: call.id, value }),
      (error: unknown) => tell({ kind: "failure", id: call.id, reason: messageOf(error) }),
    );
  });
  setInterval(() => {
    Atomics.store(data.pulse, PULSE.connections, worker.connections);
    Atomics.add(data.pulse, PULSE.beats, 1);
  }, BEAT_MS);
  tellInterests();
}
