import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { AgentConfig } from "../../agent/config.ts";
import { configuredInvitation, type Invitation, invitationOf } from "../../agent/identity/invitation.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import {
  agentDaemon,
  configFlag,
  enrol,
  type HostOptions,
  type HostSetup,
  hostSetup,
  startAgent,
  supervisorOf,
} from "../host/enrol.ts";
import { lockHost } from "../host/host-lock.ts";
import { lookBefore } from "../host/look-before.ts";
import { CONFIG_DIR } from "../places.ts";

interface JoinCommandOptions extends HostOptions {
  readonly force: boolean;
  readonly check: boolean;
  readonly start: boolean;
}

export function joinCommand(context: CliContext, exit: Exit): Command {
  return new Command("join")
    .description("make this host part of a mesh, and start its agent")
    .argument("[token]", "the token, - for standard input, or file:PATH; LATEEN_JOIN_TOKEN if left out")
    .option("--dir <path>", "where agent.yaml is, or will be", CONFIG_DIR)
    .option("--node-name <name>", "names this host in status and logs; its host name if not given")
    .option("--state-dir <path>", "where the agent keeps its keys")
    .option("--run-dir <path>", "where its sockets are")
    .addOption(
      new Option(
        "--discovery <kind>",
        "where its services are declared; consul if its agent answers here, else file",
      ).choices(["consul", "file", "none"]),
    )
    .option("--force", "join again although this host has an identity", false)
    .option("--no-check", "join without a look at the host before (lateen check --pre)")
    .option("--no-start", "start nothing, and say what comes next")
    .action(async (token: string | undefined, options: JoinCommandOptions) => {
      exit(await join(context, token, options));
    });
}

/** The token is never printed. */
async function join(
  context: CliContext,
  argument: string | undefined,
  options: JoinCommandOptions,
): Promise<number> {
  const begin = context.clock.monotonic();
  const say = (line: string): void => context.stdout.write(`${line}\n`);
  const before = await hostSetup(context, options);
  const invitation = await invitationFor(context, argument, before.config);
  const daemon = agentDaemon(before);
  if (options.start) await supervisorOf(context, daemon).assertAble(daemon);
  if (options.check) await lookBefore(context, before.config, invitation);
  using lock = await lockHost(resolve(options.dir), context);
  // Another command may have been at work until now.
  const setup = await hostSetup(context, options);
  const enrolment = await enrol(context, setup, { invitation, force: options.force, lock });
  say(`joined trust domain ${enrolment.trustDomain} as agent ${enrolment.agentId}`);
  for (const line of enrolment.done) say(line);
  if (!options.start) {
    say(`\nNext:\n  lateen agent${configFlag(setup.path)}`);
    return EXIT.ok;
  }
  try {
    for (const line of await startAgent(context, setup)) say(line);
  } catch (error) {
    say(`this host has joined, and its agent does not run: once it is mended, ${startLine(context, setup)}`);
    throw error;
  }
  const seconds = ((context.clock.monotonic() - begin) / 1000).toFixed(1);
  say(`connected to its server after ${seconds} s\n\n${nextSteps().trimEnd()}`);
  return EXIT.ok;
}

/** What starts the agent of a host that has joined. */
export function startLine(context: CliContext, setup: HostSetup): string {
  return supervisorOf(context, agentDaemon(setup)).keepsAlive
    ? "systemctl restart lateen-agent"
    : `lateen agent${configFlag(setup.path)}`;
}

export function nextSteps(): string {
  return `Put a service of this host into the mesh, and one that it calls:
  lateen service add web --port 8080 --upstream api
How the host is, and what is wrong with it:
  lateen status
  lateen check
`;
}

/** A token when there is one; else what the configuration says. */
async function invitationFor(
  context: CliContext,
  argument: string | undefined,
  { join, servers }: AgentConfig,
): Promise<Invitation> {
  const text = await readToken(context, argument);
  if (text !== "") return invitationOf(text);
  if (join !== undefined) return configuredInvitation(join, servers, context.environment);
  throw new MeshError("cli.usage", "join wants a token", {
    hint:
      "run lateen token create on the server's host: it prints the whole line; " +
      "or say in agent.yaml, under join, how this host proves who it is",
  });
}

/** From the argument, standard input (`-`), a file (`file:PATH`) or LATEEN_JOIN_TOKEN; empty when there is none. */
export async function readToken(context: CliContext, argument: string | undefined): Promise<string> {
  const source = argument ?? context.environment["LATEEN_JOIN_TOKEN"] ?? "";
  if (source === "-") return (await context.readStdin()).trim();
  if (!source.startsWith("file:")) return source.trim();
  const path = source.slice("file:".length);
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new MeshError("cli.usage", `read the token from ${path}: ${messageOf(error)}`, { cause: error });
  }
}
