import { join } from "node:path";
import * as z from "zod";
import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { quarantine, readPrivate, writePrivate } from "../state/private-files.ts";

export interface KeptTextsOptions {
  /** The agent's state directory. */
  readonly stateDir: string;
  /** Its name in there: `service-files.json`. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

const schema = z.record(z.string(), z.string());

/** The last good text of each thing that declares services, by its name: a slip in one at a restart must take nothing away. */
export class KeptTexts {
  readonly #options: KeptTextsOptions;
  readonly #path: string;
  #written = "{}";

  constructor(options: KeptTextsOptions) {
    this.#options = options;
    this.#path = join(options.stateDir, options.file);
  }

  /** Empty when nothing was kept, or when it cannot be used: then it is put aside. */
  async read(): Promise<ReadonlyMap<string, string>> {
    try {
      const text = (await readPrivate(this.#path)) ?? "{}";
      const kept = schema.parse(JSON.parse(text));
      this.#written = text;
      return new Map(Object.entries(kept));
    } catch (error) {
      const aside = await quarantine(this.#path, this.#options.clock.now()).catch(() => "nowhere");
      this.#options.logger.warn("the kept declarations of services cannot be used and were put aside", {
        aside,
        error: messageOf(error),
      });
      return new Map();
    }
  }

  /** A disk that is full is told about and changes nothing else. */
  async write(texts: ReadonlyMap<string, string>): Promise<void> {
    const text = JSON.stringify(Object.fromEntries(texts));
    if (text === this.#written) return;
    try {
      await writePrivate(this.#path, text);
      this.#written = text;
    } catch (error) {
      this.#options.logger.error("could not keep the declarations of services", { error: messageOf(error) });
    }
  }
}
