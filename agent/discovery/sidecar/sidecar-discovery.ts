import { untilAborted } from "../../state/or-aborted.ts";
import type { Discovery, LocalService } from "../discovery.ts";

/** The services of the allocation that this agent is a task of: they are told at its start, and stay. */
export function sidecarDiscovery(services: readonly LocalService[]): Discovery {
  return {
    name: "sidecar",
    async *watch(signal) {
      yield services;
      await untilAborted(signal);
    },
  };
}
