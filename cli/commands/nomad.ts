import { Command, Option } from "commander";
import { serviceNotifier } from "../../agent/host/notify.ts";
import { MeshError } from "../../mesh/errors.ts";
import { formatPath } from "../../mesh/model/finding.ts";
import type { CliContext, Exit } from "../context.ts";
import { daemonLogger, logFormatOption, readConfigFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { readInput } from "../input-files.ts";
import type { LogFormat, LogLevel } from "../logging.ts";
import { runAdmission } from "../nomad/admission/app.ts";
import { type AdmissionConfig, loadAdmissionConfig } from "../nomad/admission/config.ts";
import { changesBetween } from "../nomad/inject/changes.ts";
import type { InjectionMode } from "../nomad/inject/choose-group.ts";
import { type Injection, injectJob } from "../nomad/inject/inject.ts";
import { loadSidecarSettings } from "../nomad/inject/load-settings.ts";
import { parseJobFile } from "../nomad/job/job-file.ts";
import { printJson } from "../nomad/job/lossless-json.ts";
import { changeLines } from "../output/job-changes.ts";
import { printable } from "../output/table.ts";
import { NOMAD_CONFIG } from "../places.ts";

interface InjectOptions {
  readonly config?: string;
  readonly all: boolean;
  readonly diff: boolean;
  readonly audience?: string;
  readonly driver?: string;
  readonly image?: string;
  readonly command?: string;
}

export function nomadCommand(context: CliContext, exit: Exit): Command {
  return new Command("nomad")
    .description("jobs of Nomad: give them sidecars, by hand or as they are registered")
    .addCommand(injectCommand(context, exit))
    .addCommand(admissionCommand(context, exit));
}

interface AdmissionOptions {
  readonly config?: string;
  readonly listen?: string;
  readonly nomad?: string;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}

function admissionCommand(context: CliContext, exit: Exit): Command {
  return new Command("admission")
    .description("stand before Nomad's HTTP API: inject as jobs are registered, refuse what the rules forbid")
    .option("--config <file>", `rules and settings (default: ${NOMAD_CONFIG}, if it exists)`)
    .option("--listen <address>", "host:port, or unix:///path")
    .option("--nomad <address>", "Nomad's own API: http://…, https://… or unix:///path")
    .addOption(
      new Option("--log-level <level>", "the least that is logged").choices([
        "debug",
        "info",
        "warn",
        "error",
      ]),
    )
    .addOption(logFormatOption())
    .action(async (options: AdmissionOptions) => {
      const load = (): AdmissionConfig =>
        loadAdmissionConfig({
          file: readConfigFile(options.config, NOMAD_CONFIG),
          environment: context.environment,
          flags: {
            ...(options.listen === undefined ? {} : { listen: { address: options.listen } }),
            ...(options.nomad === undefined ? {} : { nomad: { address: options.nomad } }),
            logLevel: options.logLevel,
          },
        });
      const { clock, environment, signal } = context;
      const logger = daemonLogger(context, load().logLevel, options.logFormat);
      const manager = serviceNotifier({ environment, clock, logger, pid: process.pid });
      const onReady = (address: string): void => manager.ready(`before Nomad, at ${address}`);
      await Promise.all([
        runAdmission({ load, clock, logger, onReady }, signal).finally(() => manager.stopping()),
        manager.runWatchdog(signal),
      ]);
      exit(EXIT.ok);
    });
}

function injectCommand(context: CliContext, exit: Exit): Command {
  return new Command("inject")
    .description(
      "a job with the sidecars that it asks for: nomad job run -output web.nomad.hcl | lateen nomad inject - | nomad job run -json -",
    )
    .argument("<file>", "the job as JSON, as `nomad job run -output` prints it, or -")
    .option("--diff", "what changes, instead of the job; exits with 1 when something does", false)
    .option("--all", "every group that has a service with a port and does not say no", false)
    .option("--config <file>", `the sidecar's settings (default: ${NOMAD_CONFIG}, if it exists)`)
    .option("--audience <name>", "of the workload identity, as attest.nomad.audience of server.yaml")
    .addOption(
      new Option("--driver <name>", "of the sidecar").choices([
        "auto",
        "docker",
        "podman",
        "exec",
        "raw_exec",
      ]),
    )
    .option("--image <name>", "of the sidecar, for docker and podman")
    .option("--command <path>", "of lateen on the client, for exec and raw_exec")
    .action(async (file: string, options: InjectOptions) => {
      exit(await inject(context, file, options));
    });
}

async function inject(context: CliContext, file: string, options: InjectOptions): Promise<number> {
  const { audience, driver, image, command } = options;
  const settings = loadSidecarSettings({
    file: readConfigFile(options.config, NOMAD_CONFIG),
    environment: context.environment,
    flags: { sidecar: { audience, driver, image, command } },
  });
  const name = file === "-" ? "standard input" : file;
  const { job, path, whole } = parseJobFile(await readInput(file, context), name);
  const mode: InjectionMode = options.all ? "all" : "asked";
  const injection = injectJob(job, { mode, settings, path });
  tell(context, injection);
  if (injection.problems.some(({ severity }) => severity === "error")) {
    throw new MeshError("object.invalid", `inject into the job of ${name}: see above`, {
      hint: "mend the job, or say lateen-inject=false in the meta of a group that is to stay out",
    });
  }
  if (!options.diff) {
    context.stdout.write(`${printJson(whole(injection.job), 2)}\n`);
    return EXIT.ok;
  }
  const changes = changesBetween(job, injection.job);
  for (const line of changeLines(changes)) context.stdout.write(`${line}\n`);
  return changes.length === 0 ? EXIT.ok : EXIT.negative;
}

/** On stderr, so that the job alone goes down the pipe. */
function tell(context: CliContext, { problems, groups, parsed }: Injection): void {
  const write = (line: string): void => context.stderr.write(`${printable(line)}\n`);
  for (const { path, message, severity } of problems) {
    write(`${severity}: ${formatPath(path)}  ${message}`);
  }
  for (const outcome of groups) {
    const what = `job ${parsed.id}, group ${outcome.group}`;
    if (outcome.kind === "injected") write(`${what}: has its sidecar`);
    else if (outcome.kind === "left") write(`${what}: left as it is, ${outcome.why}`);
  }
}
