import { Command, InvalidArgumentError } from "commander";
import { runProxy } from "../../proxy/app.ts";
import { parseBootstrap } from "../../proxy/config.ts";
import type { CliContext, Exit } from "../context.ts";
import { type DaemonOptions, daemonLogger, logFormatOption, readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";

interface ProxyOptions extends Pick<DaemonOptions, "logFormat"> {
  readonly bootstrap: string;
  readonly drainSeconds: number;
}

export function proxyCommand(context: CliContext, exit: Exit): Command {
  return new Command("proxy")
    .description("run the built-in data plane for one workload")
    .requiredOption("--bootstrap <file>", "node, xdsSocket, adminSocket, logLevel: agents write it")
    .option("--drain-seconds <number>", "how long requests may take to end when it stops", parseSeconds, 10)
    .addOption(logFormatOption())
    .action(async (options: ProxyOptions) => {
      const bootstrap = parseBootstrap(readNamedFile(options.bootstrap).text);
      const logger = daemonLogger(context, bootstrap.logLevel, options.logFormat);
      await runProxy(bootstrap, {
        logger,
        clock: context.clock,
        signal: context.signal,
        drainMs: options.drainSeconds * 1_000,
        writeAccessLog: (line) => context.stdout.write(line),
        setLogLevel: (level) => logger.setLevel(level),
      });
      exit(EXIT.ok);
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0 && seconds <= 600) return seconds;
  throw new InvalidArgumentError("It is a number from 0 to 600.");
}
