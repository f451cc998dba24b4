/**
 * What the CLI asks of this host without an agent: checks, its address, services files, processes. The door to agent/ for
 * that, beside `app.ts`.
 */

export { processStartTime } from "./dataplane/process-start-time.ts";
export { stopStaleProcesses } from "./dataplane/stale-processes.ts";
export { parseServices } from "./discovery/file/parse-services.ts";
export { routedAddress } from "./host/address-towards.ts";
export { checkWithoutAgent, declaredServices } from "./host-check/check-without-agent.ts";
