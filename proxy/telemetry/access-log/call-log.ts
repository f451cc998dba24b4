import { Client, type ClientWritableStream, credentials } from "@grpc/grpc-js";
import { type CallKind, httpCallKind, tcpCallKind } from "../../../mesh/calls/call-kind.ts";
import { CallTally } from "../../../mesh/calls/call-tally.ts";
import { toHttpEntry, toTcpEntry } from "../../../mesh/calls/log-entry.ts";
import type { Clock } from "../../../mesh/lifecycle/clock.ts";
import { CALL_LOG, openAccessLogStream } from "../../../mesh/xds/access-log-service.ts";
import { StreamAccessLogsMessage } from "../../../mesh/xds/gen/envoy/service/accesslog/v3/als.ts";
import type { Ends, HttpRecord } from "../records.ts";

interface CallLogOptions {
  /** Path of the agent's unix socket. */
  readonly socketPath: string;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly clock: Clock;
}

const FLUSH_MS = 1000;
/** Entries of one message: a receiver of gRPC takes 4 MiB, and an entry may be of two kilobytes. */
const MOST_AT_ONCE = 1000;
/** For the agent to say that it has everything when the proxy ends. */
const LAST_WORD_MS = 1000;

/**
 * Tells the agent which calls came in: as Envoy does by its access log service, but counted here, an entry for each kind
 * of calls a second. What the agent does not take is counted on, within a tally's bounds.
 */
export class CallLog {
  readonly #options: CallLogOptions;
  readonly #tally = new CallTally();
  #stream: ClientWritableStream<StreamAccessLogsMessage> | undefined;
  /** Aborted with the newest stream's end. */
  #ended = new AbortController();

  constructor(options: CallLogOptions) {
    this.#options = options;
  }

  http({ ends, method, path, authority, issuer, details }: HttpRecord): void {
    // Without a host it was no request that anybody could have judged.
    if (authority === "") return;
    this.#add(httpCallKind({ ...callerOf(ends), method, host: authority, target: path, issuer, details }));
  }

  /** `details`: Envoy's, of why the connection ended. */
  tcp(ends: Ends, details: string): void {
    this.#add(tcpCallKind(callerOf(ends), details));
  }

  /** Until the signal is aborted and the agent has the rest, within a bound of time; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const client = new Client(`unix:${this.#options.socketPath}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    while (!signal.aborted) {
      await this.#options.clock.sleep(FLUSH_MS, signal);
      this.#flush(client);
    }
    if (this.#stream !== undefined) {
      this.#stream.end();
      await this.#options.clock.sleep(LAST_WORD_MS, this.#ended.signal);
    }
    client.close();
  }

  #add(kind: CallKind): void {
    const now = this.#options.clock.now();
    this.#tally.add(kind, { count: 1, firstMs: now, lastMs: now });
  }

  #flush(client: Client): void {
    if (this.#tally.isEmpty || this.#stream?.writableNeedDrain === true) return;
    const first = this.#stream === undefined;
    const stream = this.#stream ?? this.#open(client);
    const { calls } = this.#tally.take();
    const { id, cluster } = this.#options.node;
    const identifier = first ? { node: { id, cluster }, logName: CALL_LOG } : undefined;
    const http = calls.filter(({ protocol }) => protocol === "http");
    const tcp = calls.filter(({ protocol }) => protocol === "tcp");
    const messages = [
      ...chunks(http).map((some) => ({ httpLogs: { logEntry: some.map(toHttpEntry) } })),
      ...chunks(tcp).map((some) => ({ tcpLogs: { logEntry: some.map(toTcpEntry) } })),
    ];
    for (const [index, message] of messages.entries()) {
      const said = index === 0 && identifier !== undefined ? { identifier } : {};
      stream.write(StreamAccessLogsMessage.fromPartial({ ...message, ...said }));
    }
  }

  #open(client: Client): ClientWritableStream<StreamAccessLogsMessage> {
    const ended = new AbortController();
    const stream = openAccessLogStream(client, () => {
      ended.abort();
      if (this.#stream === stream) this.#stream = undefined;
    });
    stream.on("error", () => {});
    this.#stream = stream;
    this.#ended = ended;
    return stream;
  }
}

function chunks<T>(list: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / MOST_AT_ONCE);
  return Array.from({ length: count }, (_, at) => list.slice(at * MOST_AT_ONCE, (at + 1) * MOST_AT_ONCE));
}

function callerOf({ clientId, localAddress }: Ends): { readonly source: string; readonly port: number } {
  return { source: clientId ?? "", port: Number(localAddress.slice(localAddress.lastIndexOf(":") + 1)) };
}
