/**
 * What the CLI asks of this host without an agent: checks, its address, services files, processes. The door to agent/ for
 * that, beside `app.ts`.
 */

export type { CapturePlan } from "./capture/capture-plan.ts";
export { HostCapture, silentPorts } from "./capture/host-capture.ts";
export { KeptCapture } from "./capture/kept-capture.ts";
export { findNft, nftProgram } from "./capture/nft.ts";
export { groupSetName } from "./capture/ruleset.ts";
export { processStartTime } from "./dataplane/process-start-time.ts";
export { stopStaleProcesses } from "./dataplane/stale-processes.ts";
export { parseServices } from "./discovery/file/parse-services.ts";
export { routedAddress } from "./host/address-towards.ts";
export { captureOffFindings, tableFindings } from "./host-check/capture-findings.ts";
export { checkWithoutAgent, declaredServices } from "./host-check/check-without-agent.ts";
