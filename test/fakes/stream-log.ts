import type {
  BodySink,
  RequestHandler,
  RequestHead,
  ResetCause,
  ResponseHead,
  ResponseReceiver,
  ServerSessionObserver,
  ServerStream,
} from "../../proxy/codec/stream.ts";
import type { HeaderList } from "../../proxy/tables/header-list.ts";

/** Writes down what a body brings. */
export class SinkLog implements BodySink {
  body = "";
  chunks = 0;
  ends = 0;
  cause: ResetCause | undefined;
  /** What `data` answers. */
  takesMore = true;

  data(bytes: Buffer): boolean {
    this.body += bytes.toString("latin1");
    this.chunks++;
    return this.takesMore;
  }

  end(_trailers: HeaderList | undefined): void {
    this.ends++;
  }

  reset(cause: ResetCause): void {
    this.cause = cause;
  }
}

/** Writes down an answer. */
export class AnswerLog extends SinkLog implements ResponseReceiver {
  heads: ResponseHead[] = [];
  informed: number[] = [];
  writables = 0;

  inform(status: number): void {
    this.informed.push(status);
  }

  head(head: ResponseHead): void {
    this.heads.push(head);
  }

  writable(): void {
    this.writables++;
  }
}

export interface LoggedRequest {
  readonly head: RequestHead;
  readonly stream: ServerStream;
  readonly sink: SinkLog;
  closed: boolean | undefined;
  writables: number;
}

/** Writes down the requests of a connection, and takes their bodies. */
export class RequestLog implements ServerSessionObserver {
  readonly requests: LoggedRequest[] = [];
  readonly refusals: string[] = [];
  readonly #then: (request: LoggedRequest) => void;
  isClosed = false;

  constructor(then: (request: LoggedRequest) => void = ({ stream, sink }) => stream.receive(sink)) {
    this.#then = then;
  }

  readonly request: RequestHandler = (head, stream) => {
    const logged: LoggedRequest = { head, stream, sink: new SinkLog(), closed: undefined, writables: 0 };
    this.requests.push(logged);
    stream.observe({
      writable: () => logged.writables++,
      closed: (complete) => (logged.closed = complete),
    });
    this.#then(logged);
  };

  refused({ status, detail }: { readonly status: number; readonly detail: string }): void {
    this.refusals.push(`${status} ${detail}`);
  }

  closed(): void {
    this.isClosed = true;
  }
}
