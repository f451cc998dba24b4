import { messageOf } from "../../mesh/errors.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Inheritance } from "./messages.ts";
import { Successor } from "./successor.ts";

/** Long enough for a large mesh on a busy host. */
const LONGEST_START_MS = 60_000;
/** For a busy host to open an admin interface. */
const LONGEST_RELEASE_MS = 5_000;

export interface HandOver {
  readonly inheritance: () => Promise<Inheritance>;
  /** Program and arguments of the successor. May throw. */
  readonly command: () => readonly string[];
  /** Gives up what only one process can hold; called once the successor serves. */
  readonly letGo: () => Promise<void>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Starts a successor and lets it take over. False when that came to nothing, or the signal was aborted first: then this
 * process goes on as if nobody had asked.
 */
export async function handOver({ command, inheritance, letGo, logger, signal }: HandOver): Promise<boolean> {
  let successor: Successor | undefined;
  try {
    const inherited = await inheritance();
    successor = Successor.start(command(), inherited);
    logger.info("a successor starts", { pid: successor.pid, sockets: inherited.sockets.length });
    await successor.ready(AbortSignal.any([signal, AbortSignal.timeout(LONGEST_START_MS)]));
    await letGo();
    await successor.release(AbortSignal.any([signal, AbortSignal.timeout(LONGEST_RELEASE_MS)]));
    logger.info("the successor serves", { pid: successor.pid });
    return true;
  } catch (error) {
    successor?.kill();
    logger.error("the successor did not take over, this process goes on", { reason: messageOf(error) });
    return false;
  }
}
