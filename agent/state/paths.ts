import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Workload } from "../../mesh/model/workload.ts";

/** `sun_path` has 108 bytes, the last of them a zero (unix(7)). */
const LONGEST_SOCKET_PATH = 107;

export interface WorkloadPaths {
  readonly state: string;
  readonly svid: string;
  readonly run: string;
  readonly bootstrap: string;
  readonly adminSocket: string;
  readonly processRecord: string;
  readonly log: string;
}

/** Where a workload's files are. Namespaces have no dots, so `<namespace>.<name>` names one workload. */
export function workloadPaths(
  stateDir: string,
  runDir: string,
  workload: Pick<Workload, "namespace" | "name">,
): WorkloadPaths {
  const folder = `${workload.namespace}.${workload.name}`;
  const state = join(stateDir, "workloads", folder);
  const run = join(runDir, shortEnough(runDir, folder));
  return {
    state,
    svid: join(state, "svid.json"),
    run,
    bootstrap: join(run, "bootstrap.json"),
    adminSocket: join(run, "admin.sock"),
    processRecord: join(run, "process.json"),
    log: join(run, "proxy.log"),
  };
}

function shortEnough(runDir: string, folder: string): string {
  if (Buffer.byteLength(join(runDir, folder, "admin.sock")) <= LONGEST_SOCKET_PATH) return folder;
  return createHash("sha256").update(folder).digest("hex").slice(0, 16);
}
