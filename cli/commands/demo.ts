import { Command, InvalidArgumentError, Option } from "commander";
import type { CliContext, Exit } from "../context.ts";
import { type DemoCommand, runDemo } from "../demo/demo.ts";

export function demoCommand(context: CliContext, exit: Exit): Command {
  return new Command("demo")
    .description("a whole mesh with bookinfo on this machine, until Ctrl-C")
    .option("--check", "prove that it works and exit: 0 only if every proof holds", false)
    .option("--consul", "register the services in a real Consul", false)
    .addOption(
      new Option("--proxy <kind>", "the data plane").choices(["builtin", "envoy"]).default("builtin"),
    )
    .option("--keep <dir>", "keep state and logs there")
    .option("--rate <number>", "requests a second of background traffic; 0 for none", parseRate, 5)
    .action(async (options: Omit<DemoCommand, "keep"> & { readonly keep?: string }) => {
      const print = (line: string): void => context.stdout.write(`${line}\n`);
      exit(await runDemo({ ...options, keep: options.keep }, print, context.signal));
    });
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (text.trim() === "" || !Number.isFinite(rate) || rate < 0 || rate > 10_000) {
    throw new InvalidArgumentError("It is a number from 0 to 10000.");
  }
  return rate;
}
