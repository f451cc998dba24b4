import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import type { AgentStatus } from "../../mesh/admin-api/agent-status.ts";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { whileLocked } from "./host-lock.ts";
import { isThere } from "./presence.ts";
import { ADDED, dropInOf, servicePlaces } from "./service-places.ts";
import { isAcknowledged, serverAway, untilAgent } from "./until-agent.ts";

interface RemoveOptions {
  readonly dir: string;
  readonly namespace: string;
  readonly wait: string;
}

/** Removes a drop-in of `service add`, and waits until the service has been let go. */
export async function removeService(
  context: CliContext,
  id: string,
  { dir, namespace, wait }: RemoveOptions,
): Promise<number> {
  const { stdout, stderr } = context;
  const withinMs = parseDuration(wait);
  const places = servicePlaces(context, dir);
  const path = dropInOf(places, namespace, id);
  await whileLocked(resolve(dir), context, async () => removeDropIn(path));
  stdout.write(`removed ${path}\n`);
  const workload = `${namespace}/${id}`;
  const { runDir } = places.config;
  const end = await untilAgent(context, { runDir, withinMs }, (status) => {
    if (status.discovery.files[path] !== undefined || status.leaving.includes(workload)) return undefined;
    // What the server is not there for holds on this host already.
    return status.server.connected && !isAcknowledged(status) ? undefined : status;
  });
  switch (end.kind) {
    case "no-agent":
      stdout.write("no agent runs here: it lets the service go when it is started\n");
      return EXIT.ok;
    case "timed-out": {
      const drains = end.last.leaving.includes(workload)
        ? "still lets its requests finish"
        : "is still served";
      stderr.write(`${workload} ${drains} after ${withinMs / 1000} s${serverAway(end.last)}\n`);
      return EXIT.timedOut;
    }
    case "done":
      stdout.write(
        isServed(end.answer, workload)
          ? `${workload} is declared elsewhere too, and goes on as that says: lateen service list\n`
          : `${workload} is out of the mesh${serverAway(end.answer)}\n`,
      );
      return EXIT.ok;
    default:
      return end satisfies never;
  }
}

function isServed({ workloads }: AgentStatus, workload: string): boolean {
  return workloads.some((one) => one.workload === workload);
}

function removeDropIn(path: string): void {
  if (!isThere(path)) {
    throw new MeshError("object.not-found", `there is no ${path}`, {
      hint: "lateen service list has what there is",
    });
  }
  try {
    if (readFileSync(path, "utf8").startsWith(ADDED)) return rmSync(path);
  } catch (cause) {
    throw new MeshError("cli.host", `remove ${path}: ${messageOf(cause)}`, { cause, hint: "run it as root" });
  }
  throw new MeshError(
    "config.exists",
    `${path} was not written by lateen service add, and is left as it is`,
    { hint: `take the service out of it, or: rm ${path}` },
  );
}
