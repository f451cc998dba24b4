import { messageOf } from "../../../mesh/errors.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../../mesh/telemetry/logger.ts";
import type { LogRecord } from "../../../mesh/xds/gen/opentelemetry/proto/logs/v1/logs.ts";
import type { OtlpLog } from "../../model/access-log.ts";
import type { BatchExporter } from "../export/batch-exporter.ts";
import type { Collector } from "../export/collector.ts";
import { Deliveries } from "../export/deliveries.ts";
import type { NodeNames } from "../export/otlp-values.ts";
import { type Lease, Outlets } from "../export/outlets.ts";
import type { MetricFamily } from "../metrics/families.ts";
import { AppendFile } from "./append-file.ts";
import { LineBuffer } from "./line-buffer.ts";
import { compileLogRecord, otlpExporter, type RecordWriter } from "./otlp-log.ts";
import { writeTo } from "./write-stream.ts";

/** A place for lines, until the settings that name it are gone. */
export interface LineSink {
  write(line: string): void;
  readonly release: () => void;
}

/** Likewise for the entries of one log. */
export interface EntrySink {
  readonly write: RecordWriter;
  readonly release: () => void;
}

interface LogSinksOptions {
  readonly node: NodeNames;
  readonly collector: Collector;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when the reader has taken the lines. */
  readonly writeStdout: (lines: string) => Promise<void>;
}

/** Where access logs go: each place once, however many listeners write there, as long as one does. */
export class LogSinks {
  readonly #options: LogSinksOptions;
  readonly #lines = new Outlets<LineBuffer>();
  readonly #services = new Outlets<BatchExporter<LogRecord>>();
  readonly #deliveries = new Deliveries();
  /** Aborted when nothing can be sent any more. */
  readonly #gone = new AbortController();

  constructor(options: LogSinksOptions) {
    this.#options = options;
  }

  file(path: string): LineSink {
    const { outlet, release } = this.#lines.take(path, (waits) => this.#lineBuffer(path, waits));
    return { write: (line) => outlet.write(line), release };
  }

  otlp(log: OtlpLog): EntrySink {
    const { outlet, release } = this.#service(log);
    return { write: compileLogRecord(log, outlet), release };
  }

  /** Writes in batches until the signal is aborted, and then the rest, within a bound of time. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await Promise.all([this.#lines.run(clock, signal), this.#services.run(clock, signal)]);
    this.#gone.abort();
  }

  /** After a rotation: the next lines go to new files. */
  async reopen(): Promise<void> {
    await Promise.all(this.#lines.all().map(async (buffer) => await buffer.close()));
  }

  families(): readonly MetricFamily[] {
    return [
      {
        name: "lateen_access_log_entries_total",
        help: "entries of access logs that were handed over",
        type: "counter",
        samples: this.#deliveries.samples("delivered"),
      },
      {
        name: "lateen_access_log_dropped_total",
        help: "entries of access logs that were lost, since their receiver is slow or not there",
        type: "counter",
        samples: this.#deliveries.samples("dropped"),
      },
    ];
  }

  #lineBuffer(path: string, waits: () => void): LineBuffer {
    const { logger, writeStdout } = this.#options;
    const common = {
      delivery: this.#deliveries.to(path),
      waits,
      lost: (error: unknown): void =>
        logger.warn("lines of an access log are lost: see that the proxy may write the file", {
          path,
          error: messageOf(error),
        }),
    };
    if (path === "/dev/stdout") return new LineBuffer({ ...common, write: writeStdout, prompt: true });
    if (path === "/dev/stderr")
      return new LineBuffer({ ...common, write: writeTo(process.stderr), prompt: true });
    const file = new AppendFile(path);
    return new LineBuffer({
      ...common,
      write: async (lines) => await file.append(lines),
      letGo: async () => await file.close(),
      prompt: false,
    });
  }

  /** Formats are not the exporter's: logs that differ in them alone share it. */
  #service({ cluster, authority, logName, resource }: OtlpLog): Lease<BatchExporter<LogRecord>> {
    const { node, collector, logger } = this.#options;
    const place = { cluster, authority, logName, resource };
    return this.#services.take(JSON.stringify(place), (waits) =>
      otlpExporter(
        { ...place, node, collector },
        {
          delivery: this.#deliveries.to(cluster),
          waits,
          lost: (error) =>
            logger.warn("entries of an access log are lost: see that their receiver is there and answers", {
              cluster,
              error: error === undefined ? "not taken" : messageOf(error),
            }),
          gone: this.#gone.signal,
        },
      ),
    );
  }
}
