import { AGENT_CONFIG, AGENT_RUN_DIR, SERVER_CONFIG, SERVER_RUN_DIR } from "../places.ts";
import type { Daemon, DaemonName } from "./supervisor.ts";

type Places = Pick<Daemon, "config" | "stateDir" | "runDir">;

/** What the units say: StateDirectory=, RuntimeDirectory= and the configuration that a program reads unless told. */
const OF_UNITS: Readonly<Record<DaemonName, Places>> = {
  agent: { config: AGENT_CONFIG, stateDir: "/var/lib/lateen/agent", runDir: AGENT_RUN_DIR },
  server: { config: SERVER_CONFIG, stateDir: "/var/lib/lateen/server", runDir: SERVER_RUN_DIR },
};

/** Whether a program's configuration has it where its unit lets it write: elsewhere the unit's sandbox is in its way. */
export function usualPlaces({ name, ...places }: Pick<Daemon, "name"> & Places): boolean {
  const usual = OF_UNITS[name];
  return (
    places.config === usual.config && places.stateDir === usual.stateDir && places.runDir === usual.runDir
  );
}
