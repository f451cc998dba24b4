import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import { startAdmission } from "./admission-server.ts";
import type { AdmissionConfig } from "./config.ts";
import { SettingsInForce } from "./current-settings.ts";

export interface AdmissionDeps {
  /** Reads the configuration anew; throws `config.invalid`. */
  readonly load: () => AdmissionConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told where it listens, once it does. */
  readonly onReady: (address: string) => void;
}

/** `lateen nomad admission`: serves until the signal is aborted, and lets open requests end within the drain. */
export async function runAdmission({ onReady, ...deps }: AdmissionDeps, signal: AbortSignal): Promise<void> {
  const inForce = new SettingsInForce(deps);
  const { listen, nomad } = inForce.config;
  const { logger } = deps;
  await using server = await startAdmission(listen.address, () => inForce.current, logger);
  logger.info("the admission serves", { address: server.address, nomad: nomad.address });
  onReady(server.address);
  await inForce.run((tls) => server.useTls(tls), signal);
  await server.drain(inForce.config.drainSeconds * 1_000);
}
