import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadAgentConfig } from "../../agent/config.ts";
import {
  type CapturePlan,
  captureOffFindings,
  findNft,
  groupSetName,
  HostCapture,
  KeptCapture,
  nftProgram,
  silentPorts,
  tableFindings,
} from "../../agent/offline.ts";
import { type AskedCaptures, parseAskedCaptures } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { listOf } from "../../mesh/admin-api/replies.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { FormatOptions } from "../commands/client-options.ts";
import type { CliContext } from "../context.ts";
import { readNamedFile } from "../daemon.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { tellFindings } from "../output/findings.ts";
import { render } from "../output/render.ts";
import { AGENT_RUN_DIR } from "../places.ts";
import { LATEEN_JS } from "../program-files.ts";
import { agentCaptures } from "./agent-socket.ts";
import { type BootUnit, captureUnit, runPrograms } from "./systemd.ts";

export interface CaptureOptions {
  readonly dir: string;
  readonly runDir?: string;
  readonly nft?: string;
}

interface PlanOptions extends CaptureOptions {
  readonly dns?: number;
}

interface ApplyOptions extends PlanOptions {
  readonly within: string;
  readonly confirm: boolean;
}

/** The kernel ends what is not confirmed; less than this nobody can confirm. */
const LEAST_MS = 1_000;
const MOST_MS = 3_600_000;

/** Prints what `capture apply` would write, and changes nothing. */
export async function planCapture(context: CliContext, options: PlanOptions): Promise<number> {
  const capture = openCapture(context, options);
  const { plan, findings } = await planOf(context, capture, options);
  context.stdout.write(capture.rules(plan, undefined));
  context.stderr.write(`${describe(plan).join("\n")}\n`);
  tellFindings({ ...context, stdout: context.stderr }, findings);
  return EXIT.ok;
}

/** Puts the rules into force, for good or until they are confirmed. */
export async function applyCapture(context: CliContext, options: ApplyOptions): Promise<number> {
  const withinMs = parseDuration(options.within);
  if (withinMs < LEAST_MS || withinMs > MOST_MS)
    throw new MeshError("cli.usage", "--within must be from 1s to 1h");
  const capture = openCapture(context, options);
  const { plan, findings } = await planOf(context, capture, options);
  if (plan.services.length === 0) {
    throw new MeshError("agent.capture", "capture connections: no service of this host asks for it", {
      hint: "write interception: redirect into its file (in Consul the tag lateen.interception=redirect)",
    });
  }
  const seconds = Math.ceil(withinMs / 1_000);
  await capture.apply(plan, options.confirm ? undefined : seconds);
  context.stdout.write(`${describe(plan).join("\n")}\n`);
  if (options.confirm) await tellConfirmed(context);
  else {
    lookAfter(options);
    context.stdout.write(`the rules go by themselves in ${seconds} s, unless: lateen capture confirm\n`);
  }
  if (findings.length > 0) tellFindings(context, findings);
  return EXIT.ok;
}

/** Lets what was applied stay. */
export async function confirmCapture(context: CliContext, options: CaptureOptions): Promise<number> {
  await openCapture(context, options).confirm();
  await tellConfirmed(context);
  return EXIT.ok;
}

/** Everything that is wrong with capture on this host. */
export async function checkCapture(
  context: CliContext,
  options: CaptureOptions & FormatOptions,
): Promise<number> {
  const findings = await captureFindings(context, options);
  if (options.output === "table") tellFindings(context, findings);
  else {
    const name = ({ code, workload }: HostFinding): string =>
      `${code}${workload === "" ? "" : `/${workload}`}`;
    render(context, { items: findings, columns: [], name, value: listOf(findings), none: "" }, options);
  }
  return findings.some(({ severity }) => severity === "error") ? EXIT.negative : EXIT.ok;
}

async function captureFindings(
  context: CliContext,
  options: CaptureOptions,
): Promise<readonly HostFinding[]> {
  const asked = await askAgent(context, options).catch(() => undefined);
  const off = captureOffFindings(asked?.captures ?? [], new KeptCapture().inForce);
  return [...(await tableAndForeign(openCapture(context, options))), ...off];
}

/** What `lateen check` adds to what the agent sees: rules are root's to look at. */
export async function rulesFindings(context: CliContext): Promise<readonly HostFinding[]> {
  const nft = findNft(context.environment);
  if (process.getuid?.() !== 0 || nft === undefined) return [];
  try {
    return await tableAndForeign(openCapture(context, { dir: "", nft }));
  } catch (error) {
    const { message, hint = "" } = MeshError.from(error);
    if (new KeptCapture().inForce === undefined) return [];
    return [{ code: "host.capture-changed", severity: "error", workload: "", message, hint }];
  }
}

async function tableAndForeign(capture: HostCapture): Promise<readonly HostFinding[]> {
  const { inForce } = new KeptCapture();
  const table = await capture.table();
  const silent = inForce === undefined || table === undefined ? [] : await silentPorts(inForce.plan);
  const foreign = inForce === undefined ? [] : await capture.foreign(inForce.plan);
  return [...tableFindings({ table, inForce, silent }), ...foreign];
}

/** Takes the rules away; they are not restored at the next boot either. */
export async function removeCapture(
  context: CliContext,
  options: CaptureOptions & { readonly drain: string },
): Promise<number> {
  const left = await openCapture(context, options).remove(parseDuration(options.drain));
  context.stdout.write("the rules are gone: connections of this host go as ever\n");
  for (const line of (await atBoot(context)?.disable()) ?? []) context.stdout.write(`${line}\n`);
  if (left > 0) context.stdout.write(`${left} connections that were captured had not ended, and may break\n`);
  return EXIT.ok;
}

/** At a boot: what was confirmed. */
export async function restoreCapture(
  context: CliContext,
  options: CaptureOptions & { readonly wait: string },
): Promise<number> {
  const plan = await openCapture(context, options).restore(parseDuration(options.wait));
  const lines = plan === undefined ? ["nothing was confirmed: nothing is captured"] : describe(plan);
  context.stdout.write(`${lines.join("\n")}\n`);
  return EXIT.ok;
}

/** What `apply` leaves behind, to take unconfirmed rules away once the kernel has ended them. */
export async function expireCapture(
  context: CliContext,
  mark: string,
  options: CaptureOptions,
): Promise<number> {
  await openCapture(context, options).expire(mark);
  return EXIT.ok;
}

async function tellConfirmed(context: CliContext): Promise<void> {
  const { stdout } = context;
  const unit = atBoot(context);
  stdout.write("confirmed: the rules stay\n");
  for (const line of (await unit?.enable()) ?? []) stdout.write(`${line}\n`);
  if (unit === undefined)
    stdout.write("there is no systemd: at a boot, once the agent runs, lateen capture restore\n");
}

/** Undefined: nothing here starts units. */
function atBoot({ signal }: CliContext): BootUnit | undefined {
  return existsSync("/run/systemd/system") ? captureUnit(runPrograms(signal)) : undefined;
}

/**
 * What `leave` does before the proxies go; undefined: there are no rules. Nothing more is captured from then on, and what
 * is returned takes the rules away.
 */
export async function leaveCapture(context: CliContext): Promise<(() => Promise<string>) | undefined> {
  const path = findNft(context.environment);
  if (path === undefined) return undefined;
  const capture = openCapture(context, { dir: "", nft: path });
  const isThere = (await capture.table().catch(() => undefined)) !== undefined;
  if (!isThere && new KeptCapture().inForce === undefined) return undefined;
  await capture.rest();
  return async () => {
    await capture.remove(0);
    await atBoot(context)?.disable();
    return "removed the rules that captured connections (table inet lateen)";
  };
}

function openCapture({ environment, clock, signal }: CliContext, { nft }: CaptureOptions): HostCapture {
  const path = nft === undefined ? findNft(environment) : resolve(nft);
  if (path === undefined) {
    throw new MeshError("agent.capture", "look for nft: it is in no folder of PATH", {
      hint: "install nftables (0.9.8 or newer), or name it with --nft",
    });
  }
  return new HostCapture({ nft: nftProgram(path), kept: new KeptCapture(), clock, signal });
}

async function planOf(
  context: CliContext,
  capture: HostCapture,
  options: PlanOptions,
): Promise<Awaited<ReturnType<HostCapture["plan"]>>> {
  const { agentPid, captures } = await askAgent(context, options);
  return await capture.plan(captures, { runDir: runDirOf(context, options), agentPid }, options.dns);
}

async function askAgent(context: CliContext, options: CaptureOptions): Promise<AskedCaptures> {
  const runDir = runDirOf(context, options);
  const told = await agentCaptures(runDir, context.signal);
  if (told !== undefined) return parseAskedCaptures(told);
  throw new MeshError("cli.host", `ask the agent what is to be captured: none answers in ${runDir}`, {
    hint: "start it (systemctl start lateen-agent, or lateen agent), or name its place with --run-dir",
  });
}

function runDirOf({ environment }: CliContext, { dir, runDir }: CaptureOptions): string {
  if (runDir !== undefined) return resolve(runDir);
  const path = join(resolve(dir), "agent.yaml");
  if (!existsSync(path)) return AGENT_RUN_DIR;
  return loadAgentConfig({ file: readNamedFile(path), environment, flags: {} }).runDir;
}

/** The kernel ends the rules by itself; a process of its own takes away what is left of them then. */
function lookAfter({ nft }: CaptureOptions): void {
  const { mark = "" } = new KeptCapture().inForce ?? {};
  const places = nft === undefined ? [] : ["--nft", resolve(nft)];
  const child = spawn(process.execPath, [LATEEN_JS, "capture", "expire", mark, ...places], {
    detached: true,
    stdio: "ignore",
    cwd: "/",
  });
  child.once("error", () => {});
  child.unref();
}

function describe(plan: CapturePlan): readonly string[] {
  return plan.services.flatMap((service) => {
    const { workload, owner, outbound, inbound, place } = service;
    const what = owner?.kind === "uid" ? `user ${owner.uid}` : owner?.path;
    const group = owner?.kind === "cgroup" ? [`  ${unitLine(service, owner.path)}`] : [];
    return [
      what === undefined
        ? `${workload}: what it calls is not captured`
        : `${workload}: what ${what} calls goes to port ${outbound}`,
      inbound === undefined
        ? `${workload}: what comes to port ${place.port} is not captured`
        : `${workload}: what comes to port ${place.port} goes to port ${inbound}`,
      ...group,
    ];
  });
}

/** A unit that starts anew has a new control group, which its own start can tell. */
function unitLine(service: CapturePlan["services"][number], path: string): string {
  return `so that its restarts are captured too, give its unit: ExecStartPre=-+nft add element inet lateen ${groupSetName(service)} '{ "${path}" }'`;
}
