import { join } from "node:path";
import { Command } from "commander";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError } from "../../mesh/errors.ts";
import { AdminClient } from "../client.ts";
import type { CliContext, Exit } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";

interface Options {
  readonly socket?: string;
  readonly timeout: string;
}

const EVERY_MS = 250;

export function waitCommand(context: CliContext, exit: Exit): Command {
  return new Command("wait")
    .description("wait until every workload of this host, or of this Nomad allocation, is served")
    .option("--ready", "until then; there is nothing else to wait for")
    .option("--socket <path>", "the agent's; default: the sidecar's of this allocation, else this host's")
    .option("--timeout <duration>", "give up after this long", "120s")
    .action(async (options: Options) => exit(await waitUntilReady(context, options)));
}

async function waitUntilReady(context: CliContext, options: Options): Promise<number> {
  const { clock, stderr, signal } = context;
  const socketPath = options.socket ?? usualSocket(context.environment);
  const until = clock.monotonic() + parseDuration(options.timeout);
  let why = "";
  while (!signal.aborted) {
    why = (await lacking(socketPath, signal)) ?? "";
    if (why === "") return EXIT.ok;
    if (clock.monotonic() >= until) break;
    await clock.sleep(EVERY_MS, signal);
  }
  stderr.write(`not ready: ${why}\n`);
  return EXIT.negative;
}

function usualSocket({ NOMAD_ALLOC_DIR: shared }: CliContext["environment"]): string {
  return shared === undefined ? "/run/lateen/agent/agent.sock" : join(shared, "lateen.sock");
}

/** What is not as it should be yet. */
async function lacking(socketPath: string, signal: AbortSignal): Promise<string | undefined> {
  await using agent = new AdminClient({ socketPath }, "is the agent running?");
  try {
    const { discovery, workloads } = await agent.get<AgentStatus>("/status", { signal });
    if (discovery.state !== "known") return "the agent does not know yet what runs here";
    const left = workloads.filter(({ state }) => state !== "serving");
    if (left.length === 0) return undefined;
    return left
      .map(({ workload, state, reason }) => `${workload} is ${state}${reason ? ` (${reason})` : ""}`)
      .join("; ");
  } catch (error) {
    return MeshError.from(error).message;
  }
}
