import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { CurrentSettings } from "./admission-server.ts";
import type { AdmissionConfig } from "./config.ts";
import { listenerTls } from "./listener-tls.ts";
import { nomadTarget } from "./nomad-target.ts";

const LOOK_AGAIN_MS = 5_000;

export interface SettingsDeps {
  /** Reads the configuration anew; throws what is wrong with it. */
  readonly load: () => AdmissionConfig;
  readonly clock: Pick<Clock, "sleep">;
  readonly logger: Logger;
}

/** What is in force: the last configuration, and the last TLS files, that could be used. */
export class SettingsInForce {
  readonly #deps: SettingsDeps;
  #config: AdmissionConfig;
  #settings: CurrentSettings;
  #complaint: string | undefined;

  /** Throws `config.invalid` when nothing can be used at the start. */
  constructor(deps: SettingsDeps) {
    this.#deps = deps;
    this.#config = deps.load();
    this.#settings = settingsOf(this.#config);
  }

  get config(): AdmissionConfig {
    return this.#config;
  }

  get current(): CurrentSettings {
    return this.#settings;
  }

  /** Looks at the files every five seconds until the signal is aborted, and tells of TLS files that changed. */
  async run(onTls: (tls: NonNullable<CurrentSettings["tls"]>) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LOOK_AGAIN_MS, signal);
      if (!signal.aborted) this.#renew(onTls);
    }
  }

  #renew(onTls: (tls: NonNullable<CurrentSettings["tls"]>) => void): void {
    const { load, logger } = this.#deps;
    try {
      const config = load();
      const settings = settingsOf(config);
      this.#complaint = undefined;
      if (config.listen.address !== this.#config.listen.address)
        logger.warn("the listener stays where it is until the next start", {
          address: config.listen.address,
        });
      if (JSON.stringify(config) !== JSON.stringify(this.#config)) logger.info("the configuration changed");
      if (settings.tls !== undefined && JSON.stringify(settings.tls) !== JSON.stringify(this.#settings.tls)) {
        onTls(settings.tls);
        logger.info("the listener's certificates changed");
      }
      this.#config = config;
      this.#settings = settings;
    } catch (error) {
      const reason = messageOf(error);
      if (reason === this.#complaint) return;
      this.#complaint = reason;
      logger.error("the configuration cannot be used, the last one stays in force", { reason });
    }
  }
}

function settingsOf(config: AdmissionConfig): CurrentSettings {
  const { rules, sidecar, limits, nomad, listen } = config;
  return { rules: { rules, sidecar }, limits, target: nomadTarget(nomad), tls: listenerTls(listen) };
}
