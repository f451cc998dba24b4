import { readFileSync, rmSync } from "node:fs";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { agentStatus } from "./agent-socket.ts";
import { isThere } from "./presence.ts";
import { ADDED, dropInOf, servicePlaces } from "./service-places.ts";

interface RemoveOptions {
  readonly dir: string;
  readonly namespace: string;
  readonly wait: string;
}

const LOOK_MS = 50;

/** Removes a drop-in of `service add`, and waits until the service has been let go. */
export async function removeService(
  context: CliContext,
  id: string,
  { dir, namespace, wait }: RemoveOptions,
): Promise<number> {
  const { clock, signal, stdout, stderr } = context;
  const waitMs = parseDuration(wait);
  const places = servicePlaces(context, dir);
  const { config } = places;
  const path = dropInOf(places, namespace, id);
  if (!isThere(path)) {
    throw new MeshError("object.not-found", `there is no ${path}`, {
      hint: "lateen service list has what there is",
    });
  }
  if (!readFileSync(path, "utf8").startsWith(ADDED)) {
    throw new MeshError(
      "config.exists",
      `${path} was not written by lateen service add, and is left as it is`,
      {
        hint: `take the service out of it, or: rm ${path}`,
      },
    );
  }
  rmSync(path);
  stdout.write(`removed ${path}\n`);
  const workload = `${namespace}/${id}`;
  const patience = clock.monotonic() + waitMs;
  for (;;) {
    const status = await agentStatus(config.runDir, signal);
    if (status === undefined) return EXIT.ok;
    if (!status.workloads.some((one) => one.workload === workload)) break;
    if (clock.monotonic() > patience) {
      stderr.write(`${workload} is still served after ${waitMs / 1000} s\n`);
      return EXIT.timedOut;
    }
    await clock.sleep(LOOK_MS, signal);
    signal.throwIfAborted();
  }
  stdout.write(`${workload} is out of the mesh\n`);
  return EXIT.ok;
}
