import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { logFindings } from "../host/log-findings.ts";
import { type Changes, Wake } from "../state/changes.ts";
import { checkHost, checkOthers, type HostCheck, type MeshServers } from "./check-host.ts";

export interface HostWatchOptions {
  readonly facts: () => Promise<Omit<HostCheck, "config" | "now">>;
  readonly servers: () => MeshServers;
  readonly config: HostCheck["config"];
  /** Whether the server is being talked to: then it is looked at seldom. */
  readonly connected: () => boolean;
  /** Of what runs on the host. */
  readonly changes: Changes;
  readonly clock: Clock;
  readonly logger: Logger;
}

const EVERY_MS = 30_000;
/** An application has this long to listen once its service is declared. */
const SETTLE_MS = 3_000;
/** A connection to each server, to compare clocks. */
const SERVERS_EVERY_MS = 600_000;

/** Looks at the host while the agent runs. What it finds changes nothing of what is served. */
export class HostWatch {
  readonly #options: HostWatchOptions;
  #local: readonly HostFinding[] = [];
  #others: readonly HostFinding[] = [];
  #othersAt: number | undefined;

  constructor(options: HostWatchOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get findings(): readonly HostFinding[] {
    return [...this.#local, ...this.#others];
  }

  /** Looks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, changes } = this.#options;
    const wake = new Wake();
    const unsubscribe = changes.subscribe(() => wake.raise());
    while (!signal.aborted) {
      await clock.sleep(SETTLE_MS, signal);
      if (!signal.aborted) await this.look(this.#othersAreDue(), signal);
      await wake.waitFor(clock, EVERY_MS, signal);
    }
    unsubscribe();
  }

  /** Looks now; `others`: at the servers and the catalog too. Never throws. */
  async look(others: boolean, signal: AbortSignal): Promise<void> {
    const { clock, config, facts, logger, servers } = this.#options;
    const before = this.findings;
    try {
      this.#local = await checkHost({ ...(await facts()), config, now: clock.now() });
      if (others) {
        // What Nomad says, the source of this host's services tells as it happens.
        const { discovery } = config;
        const asked = discovery.kind === "nomad" ? { ...discovery, kind: "none" as const } : discovery;
        this.#others = await checkOthers(servers(), asked, signal);
        this.#othersAt = clock.monotonic();
      }
    } catch (error) {
      logger.error("this host could not be looked at", { error: MeshError.from(error) });
    }
    if (!signal.aborted) logFindings(logger, this.findings, before);
  }

  #othersAreDue(): boolean {
    const { clock, connected } = this.#options;
    if (this.#othersAt === undefined) return true;
    const well = connected() && this.#others.length === 0;
    return clock.monotonic() - this.#othersAt >= (well ? SERVERS_EVERY_MS : EVERY_MS);
  }
}
