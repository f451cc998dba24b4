import type { ServerReadableStream, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";
import { type LoggedCalls, readHttpEntry, readTcpEntry } from "../../mesh/calls/log-entry.ts";
import {
  type LoggedDecisions,
  readHttpDecisions,
  readTcpDecisions,
} from "../../mesh/calls/logged-decisions.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type WorkloadId, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { CALL_LOG } from "../../mesh/xds/access-log-service.ts";
import type {
  StreamAccessLogsMessage,
  StreamAccessLogsResponse,
} from "../../mesh/xds/gen/envoy/service/accesslog/v3/als.ts";
import { parseNodeId } from "../../mesh/xds/names.ts";

export interface AccessLogOptions {
  /** Whether this agent serves the node of that id now; others are refused. */
  readonly serves: (nodeId: string) => boolean;
  readonly onCalls: (workload: WorkloadId, calls: LoggedCalls) => void;
  readonly onDecisions: (workload: WorkloadId, logged: LoggedDecisions) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Entries that are read of one stream in a second. Default: 1000. */
  readonly entriesPerSecond?: number;
}

type Call = ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>;

/** Permission denied, in gRPC's numbers. */
const REFUSED = 7;

/**
 * Takes the log of calls from the data planes of this host (`accessLogService`). What comes faster than it is to be read
 * waits in the stream's window; then the proxy leaves calls out, which costs neither of them more and nobody a request.
 */
export function accessLogHandlers(options: AccessLogOptions): UntypedServiceImplementation {
  return {
    streamAccessLogs(call: Call, answer: sendUnaryData<StreamAccessLogsResponse>) {
      const stream = new LogStream(call, options);
      const stop = (error: Error | null): void => {
        stream.close();
        if (!call.cancelled) answer(error, {});
      };
      call.on("data", (message: StreamAccessLogsMessage) => {
        try {
          stream.take(message);
        } catch (error) {
          const { message: details } = MeshError.from(error);
          stop(Object.assign(new Error(details), { code: REFUSED, details }));
        }
      });
      call.on("end", () => stop(null));
      call.on("error", () => stream.close());
      call.on("cancelled", () => stream.close());
    },
  };
}

/** One proxy's stream, read no faster than it is allowed to be. */
class LogStream {
  readonly #call: Call;
  readonly #options: AccessLogOptions;
  readonly #entriesPerSecond: number;
  readonly #over = new AbortController();
  #node: { readonly id: string; readonly workload: WorkloadId } | undefined;
  #second = 0;
  #read = 0;

  constructor(call: Call, options: AccessLogOptions) {
    this.#call = call;
    this.#options = options;
    this.#entriesPerSecond = options.entriesPerSecond ?? 1000;
  }

  /** Throws `xds.refused` for a stream that is not of a workload of this host, or no longer. */
  take({ identifier, httpLogs, tcpLogs }: StreamAccessLogsMessage): void {
    const { serves, onCalls, onDecisions } = this.#options;
    if (this.#over.signal.aborted) return;
    this.#node ??= this.#nodeOf(identifier?.node?.id ?? "", identifier?.logName ?? "");
    const { id, workload } = this.#node;
    if (!serves(id)) throw new MeshError("xds.refused", "this agent does not serve the node any more");
    const http = httpLogs?.logEntry ?? [];
    const tcp = tcpLogs?.logEntry ?? [];
    for (const calls of [...http.map(readHttpEntry), ...tcp.map(readTcpEntry)]) {
      if (calls !== undefined) onCalls(workload, calls);
    }
    for (const logged of [...http.map(readHttpDecisions), ...tcp.map(readTcpDecisions)]) {
      if (logged !== undefined) onDecisions(workload, logged);
    }
    void this.#rest(http.length + tcp.length);
  }

  close(): void {
    this.#over.abort();
  }

  #nodeOf(id: string, logName: string): { readonly id: string; readonly workload: WorkloadId } {
    const named = parseNodeId(id);
    if (named === undefined || logName !== CALL_LOG || !this.#options.serves(id)) {
      this.#options.logger.warn("access log refused", { node: id, log: logName });
      throw new MeshError("xds.refused", "this agent does not take the log of the node");
    }
    return { id, workload: workloadId(named) };
  }

  /** Reads on in the next second, when this one's share is used up. */
  async #rest(entries: number): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const second = Math.floor(now / 1000);
    if (second !== this.#second) [this.#second, this.#read] = [second, 0];
    this.#read += entries;
    if (this.#read < this.#entriesPerSecond) return;
    this.#call.pause();
    const { signal } = this.#over;
    await clock.sleep((second + 1) * 1000 - now, signal);
    if (!signal.aborted) this.#call.resume();
  }
}
