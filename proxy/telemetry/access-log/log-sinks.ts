import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { OtlpLog } from "../../model/access-log.ts";
import type { Collector } from "../export/collector.ts";
import type { NodeNames } from "../export/otlp-values.ts";
import { labelText, type MetricFamily } from "../metrics/families.ts";
import type { LogWriter } from "./compiled-logs.ts";
import { LineFile, LineStream } from "./line-file.ts";
import { otlpLog } from "./otlp-log.ts";

const FLUSH_MS = 1000;
/** For what a collector has not got when the proxy ends. */
const LAST_WORD_MS = 1000;

interface LogSinksOptions {
  readonly node: NodeNames;
  readonly collector: Collector;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writeStdout: (text: string) => void;
}

/**
 * Where access logs go, each place once, however many listeners write there. A place stays for the life of the proxy:
 * listeners come and go while what they wrote is still on its way.
 */
export class LogSinks {
  readonly #options: LogSinksOptions;
  readonly #files = new Map<string, LineFile | LineStream>();
  readonly #services = new Map<string, ReturnType<typeof otlpLog>>();

  constructor(options: LogSinksOptions) {
    this.#options = options;
  }

  file(path: string): { write(line: string): void } {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const { logger, writeStdout } = this.#options;
    const file =
      path === "/dev/stdout"
        ? new LineStream(writeStdout)
        : path === "/dev/stderr"
          ? new LineStream((text) => void process.stderr.write(text))
          : new LineFile(path, (error) =>
              logger.warn("lines of an access log are lost: see that the proxy may write the file", {
                path,
                error: messageOf(error),
              }),
            );
    this.#files.set(path, file);
    return file;
  }

  otlp(log: OtlpLog): LogWriter {
    const key = JSON.stringify(log);
    const known = this.#services.get(key) ?? otlpLog(log, this.#options.node, this.#options.collector);
    this.#services.set(key, known);
    return known.write;
  }

  /** Writes in batches until the signal is aborted, and then the rest. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(FLUSH_MS, signal);
      for (const { exporter } of this.#services.values()) void exporter.flush(signal);
      await Promise.all([...this.#files.values()].map(async (file) => await file.flush()));
    }
    const rest = AbortSignal.timeout(LAST_WORD_MS);
    await Promise.all([
      ...[...this.#files.values()].map(async (file) => await file.close()),
      ...[...this.#services.values()].map(async ({ exporter }) => await exporter.flush(rest)),
    ]);
  }

  /** After a rotation: the next lines go to new files. */
  async reopen(): Promise<void> {
    await Promise.all(this.#lineFiles().map(async (file) => await file.reopen()));
  }

  families(): readonly MetricFamily[] {
    const files = [...this.#files].map(([path, { written, dropped }]) => ({
      labels: labelText({ to: path }),
      written,
      dropped,
    }));
    const services = [...this.#services.values()].map(({ cluster, exporter }) => ({
      labels: labelText({ to: cluster }),
      written: exporter.exported,
      dropped: exporter.dropped,
    }));
    const all = [...files, ...services];
    return [
      {
        name: "lateen_access_log_entries_total",
        help: "entries of access logs that were handed over",
        type: "counter",
        samples: all.map(({ labels, written }) => ({ labels, value: written })),
      },
      {
        name: "lateen_access_log_dropped_total",
        help: "entries of access logs that were lost, since their receiver is slow or not there",
        type: "counter",
        samples: all.map(({ labels, dropped }) => ({ labels, value: dropped })),
      },
    ];
  }

  #lineFiles(): readonly LineFile[] {
    return [...this.#files.values()].filter((file) => file instanceof LineFile);
  }
}
