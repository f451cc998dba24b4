import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { DnsStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext, Exit } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { agentStatus } from "../host/agent-socket.ts";
import { applyHook, undoHook } from "../host/dns/apply-hook.ts";
import { chooseHook, HOOK_KINDS, type HookKind, type HookPlan, planHook } from "../host/dns/hook.ts";
import { hookFacts } from "../host/dns/hook-facts.ts";
import { hookFindings, hookState } from "../host/dns/hook-state.ts";
import { whileLocked } from "../host/host-lock.ts";
import { joinedConfig } from "../host/service-places.ts";
import { addVipRoute, removeVipRoute } from "../host/vip-route.ts";
import { tellFindings } from "../output/findings.ts";
import { CONFIG_DIR } from "../places.ts";

interface HostDnsOptions {
  readonly dir: string;
  readonly by?: HookKind;
  readonly dryRun: boolean;
  readonly undo: boolean;
  readonly status: boolean;
}

interface HostVipsOptions {
  readonly dir: string;
  readonly dryRun: boolean;
  readonly undo: boolean;
}

export function hostCommand(context: CliContext, exit: Exit): Command {
  const dns = new Command("dns")
    .description("send this host's DNS questions to its agent, so that services are found by their names")
    .addOption(
      new Option("--by <way>", "what is to send them; what fits this host if not given").choices(HOOK_KINDS),
    )
    .option("--dry-run", "say what would be written, and change nothing", false)
    .option("--undo", "put back what was there", false)
    .option("--status", "whether it is so, and what is wrong with it", false)
    .action(async (options: HostDnsOptions) => exit(await hostDns(context, options)));
  const vips = new Command("vips")
    .description(
      "give this host a route to the addresses of services (240.240.0.0/16), so that proxies listen there",
    )
    .option("--dry-run", "say what would be done, and change nothing", false)
    .option("--undo", "take the route away", false)
    .action(async (options: HostVipsOptions) => exit(await hostVips(context, options)));
  return new Command("host")
    .description("what this host itself has of the mesh: DNS, a route to services")
    .addCommand(dns.option("--dir <path>", "where agent.yaml is", CONFIG_DIR))
    .addCommand(vips.option("--dir <path>", "where agent.yaml is", CONFIG_DIR));
}

async function hostDns(context: CliContext, options: HostDnsOptions): Promise<number> {
  const configDir = resolve(options.dir);
  if (options.status) return await showHook(context, configDir);
  const change = options.undo ? undoDns : hookDns;
  tell(context, await alone(context, options, async () => await change(context, options)));
  return EXIT.ok;
}

/** From the first look to the last write nobody else may change the host: what was there before is kept once. */
async function alone(
  context: CliContext,
  { dir, dryRun }: { readonly dir: string; readonly dryRun: boolean },
  work: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const configDir = resolve(dir);
  // A look writes nothing, not even a lock; and where the directory is not there, nothing was done nor can be.
  if (dryRun || !existsSync(configDir)) return await work();
  return await whileLocked(configDir, context, work);
}

async function hookDns(context: CliContext, options: HostDnsOptions): Promise<readonly string[]> {
  const configDir = resolve(options.dir);
  const state = hookState(configDir);
  if (state.kind === "hooked" && !options.dryRun)
    throw new MeshError("config.exists", `this host's questions go to its agent already, by ${state.path}`, {
      hint: "lateen host dns --undo comes first",
    });
  const plan = await planned(context, options);
  const lines = options.dryRun ? describePlan(plan) : applyHook(plan, { configDir });
  return [...lines, ...plan.notes];
}

async function planned(context: CliContext, options: HostDnsOptions): Promise<HookPlan> {
  const facts = hookFacts();
  const plan = planHook(options.by ?? chooseHook(facts), facts, await agentDns(context, options.dir));
  if ("reason" in plan) throw new MeshError("cli.host", `hook up DNS: ${plan.reason}`, { hint: plan.hint });
  return plan;
}

async function agentDns(context: CliContext, dir: string): Promise<DnsStatus> {
  const config = joinedConfig(context, dir);
  const status = await agentStatus(config.runDir, context.signal);
  if (status !== undefined) return status.dns;
  throw new MeshError("cli.unreachable", "hook up DNS: no agent runs on this host", {
    hint: "systemctl start lateen-agent: questions that nobody answers would be all of this host's",
  });
}

async function undoDns(_context: CliContext, { dir, dryRun }: HostDnsOptions): Promise<readonly string[]> {
  const configDir = resolve(dir);
  const state = hookState(configDir);
  if (state.kind === "none") return ["nothing is hooked up: there is nothing to undo"];
  return dryRun ? [`would put ${state.path} back as it was before`] : undoHook({ configDir });
}

async function showHook(context: CliContext, configDir: string): Promise<number> {
  const state = hookState(configDir);
  const config = joinedConfig(context, configDir);
  const status = await agentStatus(config.runDir, context.signal);
  const findings = [
    ...hookFindings(state, status),
    ...(status?.problems ?? []).filter(({ code }) => code.startsWith("host.dns-")),
  ];
  tell(context, [
    state.kind === "none"
      ? "hook       none: lateen host dns"
      : `hook       ${state.by}, ${state.path}${state.inPlace ? "" : ", which has been changed since"}`,
    ...describeDns(status?.dns),
  ]);
  tellFindings(context, findings);
  return findings.some(({ severity }) => severity === "error") ? EXIT.negative : EXIT.ok;
}

function describeDns(dns: DnsStatus | undefined): readonly string[] {
  if (dns === undefined) return ["agent      none runs"];
  return [
    `agent      ${dns.listening.map(({ at, problem }) => (problem === undefined ? at : `${at} (${problem})`)).join(", ") || "takes no questions"}`,
    `hosts      ${dns.hosts}, in ${dns.zones.join(", ")}`,
    `resolvers  ${dns.upstreams.map(({ name }) => name).join(", ") || "none"}`,
  ];
}

function describePlan({ path, text, reload }: HookPlan): readonly string[] {
  const indented = text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`);
  return [
    `would write ${path}:`,
    ...indented,
    ...(reload === undefined ? [] : [`would run ${reload.join(" ")}`]),
  ];
}

async function hostVips(context: CliContext, options: HostVipsOptions): Promise<number> {
  const { dryRun, undo } = options;
  const places = { configDir: resolve(options.dir), dryRun };
  const change = undo ? removeVipRoute : addVipRoute;
  tell(context, await alone(context, options, async () => change(places)));
  return EXIT.ok;
}

function tell({ stdout }: CliContext, lines: readonly string[]): void {
  for (const line of lines) stdout.write(`${line}\n`);
}
