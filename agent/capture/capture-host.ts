import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import { isGroupPath, parseCaptureOwner } from "../../mesh/model/capture-owner.ts";
import { findHolder, type ListeningSocket, readListeningSockets } from "../registration/listening-sockets.ts";
import type { Nft } from "./nft.ts";
import type { CaptureHost } from "./plan-capture.ts";

const run = promisify(execFile);
const ANSWERS_WITHIN_MS = 5_000;
/** nft looks for control groups here and nowhere else. */
const GROUPS = "/sys/fs/cgroup";
const SSH = 22;
/** More than a host has; what is kept of a plan is bounded. */
const MOST_SSH_PORTS = 32;
/** Of the server (agents, metrics, admin) and of the agent (status, health): nobody's calls to these are to be lost. */
const MESH_PORTS = [15_012, 15_014, 15_015, 15_020, 15_021];

/** Looks up what a plan for these workloads needs to know of this host. `agentPid`: of the agent that asks for it. */
export async function readCaptureHost(
  asked: readonly AskedCapture[],
  { nft, runDir, agentPid, signal }: HostQuestions,
): Promise<CaptureHost> {
  const owners = asked.flatMap(({ owner }) => (owner === undefined ? [] : (parseCaptureOwner(owner) ?? [])));
  const users = new Map<string, number | undefined>();
  const units = new Map<string, string | undefined>();
  for (const owner of owners) {
    if (owner.kind === "user") users.set(owner.user, await uidOf(owner.user, signal));
    if (owner.kind === "unit") units.set(owner.unit, await groupOfUnit(owner.unit, signal));
  }
  const wantsGroups = owners.some(({ kind }) => kind !== "user");
  const sockets = await readListeningSockets();
  return {
    runDir,
    meshUid: statSync(join(runDir, "agent.sock")).uid,
    meshGroup: groupOfProcess(agentPid),
    sockets,
    keptPorts: [SSH, ...sshPorts(sockets, (inode) => findHolder(inode)?.name), ...MESH_PORTS],
    uidOf: (user) => users.get(user),
    groupOf: (unit) => units.get(unit),
    noGroups: wantsGroups ? await whyNoGroups(nft, signal) : undefined,
  };
}

interface HostQuestions {
  readonly nft: Nft;
  /** Of the agent. */
  readonly runDir: string;
  readonly agentPid: number;
  readonly signal: AbortSignal;
}

/**
 * Where sshd listens. Anybody may name a program so, and would then keep its ports out of capture: only root's are
 * believed.
 */
export function sshPorts(
  sockets: readonly ListeningSocket[],
  holderOf: (inode: string) => string | undefined,
): readonly number[] {
  const ports = sockets
    .filter(({ uid, inode }) => uid === 0 && holderOf(inode) === "sshd")
    .map(({ port }) => port);
  return [...new Set(ports)].slice(0, MOST_SSH_PORTS);
}

/** Whether a control group is there now. */
export function hasGroup(path: string): boolean {
  return existsSync(join(GROUPS, path, "cgroup.procs"));
}

async function whyNoGroups(nft: Nft, signal: AbortSignal): Promise<string | undefined> {
  if (!existsSync(join(GROUPS, "cgroup.controllers")))
    return `the unified hierarchy (cgroup2) is not at ${GROUPS}`;
  const refusal = await nft.refusal("table inet lateen-try { set owners { type cgroupsv2; } }", signal);
  return refusal && `this nft is too old (0.9.9 is needed): ${refusal}`;
}

/** Users may be in a directory of the network: the system's own way asks all. */
async function uidOf(user: string, signal: AbortSignal): Promise<number | undefined> {
  const said = await ask("id", ["-u", "--", user], signal);
  return said !== undefined && /^\d{1,10}$/.test(said) ? Number(said) : undefined;
}

/** A unit that does not run has no group yet; that of a plain one is known all the same. */
async function groupOfUnit(unit: string, signal: AbortSignal): Promise<string | undefined> {
  const said = await ask("systemctl", ["show", "--property=ControlGroup", "--value", "--", unit], signal);
  const path = said?.replace(/^\//, "") ?? "";
  if (path !== "") return isGroupPath(path) ? path : undefined;
  const usual = unit.endsWith(".slice") ? unit : `system.slice/${unit}`;
  return unit.includes("@") || !isGroupPath(usual) ? undefined : usual;
}

function groupOfProcess(pid: number): string | undefined {
  try {
    return /^0::\/(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** What a program says on stdout; undefined when it fails, or is not there. */
async function ask(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, args, { signal, timeout: ANSWERS_WITHIN_MS });
    return stdout.trim();
  } catch {
    return undefined;
  }
}
