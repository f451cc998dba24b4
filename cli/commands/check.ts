import { join, resolve } from "node:path";
import { Command } from "commander";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import { invitationOf } from "../../agent/identity/invitation.ts";
import { checkWithoutAgent } from "../../agent/offline.ts";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { listOf } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { readNamedFile } from "../daemon.ts";
import { EXIT } from "../exit-codes.ts";
import { agentFindings, agentStatus } from "../host/agent-socket.ts";
import { rulesFindings } from "../host/capture.ts";
import { hookFindings, hookState } from "../host/dns/hook-state.ts";
import { isThere } from "../host/presence.ts";
import { tellFindings } from "../output/findings.ts";
import { render } from "../output/render.ts";
import { AGENT_RUN_DIR, CONFIG_DIR } from "../places.ts";
import { type FormatOptions, withOutput } from "./client-options.ts";
import { readToken } from "./join.ts";

interface CheckOptions extends FormatOptions {
  readonly dir: string;
  readonly runDir?: string;
  readonly pre: boolean;
}

type Finding = AgentStatus["problems"][number];

export function checkCommand(context: CliContext, exit: Exit): Command {
  const command = new Command("check")
    .description("what is wrong with this host: exits with 1 when something does not work")
    .argument("[token]", "with --pre: also whether this token's server can be reached and is the right one")
    .option("--pre", "before the host joins", false)
    .option("--dir <path>", "where agent.yaml is", CONFIG_DIR)
    .option("--run-dir <path>", "where its sockets are")
    .action(async (token: string | undefined, options: CheckOptions) =>
      exit(await check(context, token, options)),
    );
  return withOutput(command, context, ["table", "json", "yaml", "name"]);
}

async function check(context: CliContext, token: string | undefined, options: CheckOptions): Promise<number> {
  const findings = await findingsOf(context, token, options);
  if (options.output === "table") tellFindings(context, findings);
  else {
    const name = ({ code, workload }: Finding): string => `${code}${workload === "" ? "" : `/${workload}`}`;
    render(context, { items: findings, columns: [], name, value: listOf(findings), none: "" }, options);
  }
  return findings.some(({ severity }) => severity === "error") ? EXIT.negative : EXIT.ok;
}

async function findingsOf(
  context: CliContext,
  token: string | undefined,
  options: CheckOptions,
): Promise<readonly Finding[]> {
  const path = join(resolve(options.dir), "agent.yaml");
  let config: AgentConfig;
  try {
    config = readConfig(context, path, options.runDir);
  } catch (error) {
    const { code, message, hint = "" } = MeshError.from(error);
    if (code !== "config.invalid") throw error;
    return [{ code: "host.configuration", severity: "error", workload: "", message, hint }];
  }
  const { signal } = context;
  if (options.pre) {
    const text = await readToken(context, token);
    if (text === "") return await checkWithoutAgent({ config, signal });
    const { addresses, pin } = invitationOf(text);
    return await checkWithoutAgent({ config, signal, servers: { addresses, known: { pin } } });
  }
  if (token !== undefined)
    throw new MeshError("cli.usage", "a token is for --pre", { hint: "lateen check --pre <token>" });
  const looked = [
    ...hookFindings(hookState(resolve(options.dir)), await agentStatus(config.runDir, signal)),
    ...(await rulesFindings(context)),
  ];
  // The agent looks at the host itself, and knows more of it.
  const told = await agentFindings(config.runDir, signal);
  if (told !== undefined) return [...told, ...looked];
  return [agentDown(isThere(path), config), ...looked, ...(await checkWithoutAgent({ config, signal }))];
}

/** Before a host joins, its configuration is what join would write; it has no catalog yet. */
function readConfig(context: CliContext, path: string, runDir: string | undefined): AgentConfig {
  const hasConfiguration = isThere(path);
  return loadAgentConfig({
    file: hasConfiguration ? readNamedFile(path) : undefined,
    environment: context.environment,
    flags: {
      ...(hasConfiguration ? {} : { runDir: AGENT_RUN_DIR, discovery: { kind: "none" } }),
      ...(runDir === undefined ? {} : { runDir: resolve(runDir) }),
    },
  });
}

function agentDown(hasConfiguration: boolean, { runDir }: AgentConfig): Finding {
  return {
    code: "host.agent-down",
    severity: "error",
    workload: "",
    message: hasConfiguration
      ? `no agent answers at ${runDir}/agent.sock: this host's services are not kept in the mesh`
      : "this host has not joined a mesh",
    hint: hasConfiguration
      ? "systemctl start lateen-agent, or lateen agent; its log says why it ended"
      : "lateen join <token>; lateen check --pre <token> looks at the host before",
  };
}
