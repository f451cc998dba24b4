import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { MOST_THREADS } from "../../mesh/model/proxy-config.ts";
import { runProxy } from "../../proxy/app.ts";
import { parseBootstrap, parseSuccessorCommand } from "../../proxy/config.ts";
import type { CliContext, Exit } from "../context.ts";
import { type DaemonOptions, daemonLogger, logFormatOption, readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";

interface ProxyOptions extends Pick<DaemonOptions, "logFormat"> {
  readonly bootstrap: string;
  readonly drainSeconds: number;
  readonly concurrency: number;
}

export function proxyCommand(context: CliContext, exit: Exit): Command {
  return new Command("proxy")
    .description("run the built-in data plane for one workload")
    .requiredOption("--bootstrap <file>", "node, xdsSocket, adminSocket, logLevel: agents write it")
    .option("--drain-seconds <number>", "how long requests may take to end when it stops", parseSeconds, 10)
    .option("--concurrency <number>", "threads for the traffic; 0: one for each core", parseThreads, 1)
    .addOption(logFormatOption())
    .action(async (options: ProxyOptions) => {
      // It asks for a successor; before there is anything to hand over, it must not end the process.
      process.on("SIGUSR2", () => {});
      const bootstrap = parseBootstrap(readNamedFile(options.bootstrap).text);
      const logger = daemonLogger(context, bootstrap.logLevel, options.logFormat);
      await runProxy(bootstrap, {
        logger,
        clock: context.clock,
        signal: context.signal,
        drainMs: options.drainSeconds * 1_000,
        stdout: context.stdout,
        concurrency: options.concurrency || availableParallelism(),
        setLogLevel: (level) => logger.setLevel(level),
        succession: {
          onWanted: (listener) => process.on("SIGUSR2", listener),
          command: () => parseSuccessorCommand(readNamedFile(options.bootstrap).text) ?? ownCommand(),
          parent: process,
        },
      });
      exit(EXIT.ok);
    });
}

/** As this process was started; what is at its path may be newer by now. */
function ownCommand(): readonly string[] {
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
}

function parseThreads(text: string): number {
  const threads = Number(text);
  if (Number.isInteger(threads) && text.trim() !== "" && threads >= 0 && threads <= MOST_THREADS)
    return threads;
  throw new InvalidArgumentError(`It is a whole number from 0 to ${MOST_THREADS}.`);
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0 && seconds <= 600) return seconds;
  throw new InvalidArgumentError("It is a number from 0 to 600.");
}
