import type { BodyLength, ClientStream, RequestHead, ResetCause, ResponseReceiver } from "../stream.ts";
import type { Connection } from "./connection.ts";
import { ErrorCode } from "./error-code.ts";
import { Http2Stream } from "./http2-stream.ts";
import type { ResponseFields } from "./response-fields.ts";

/** Interim answers to one request; more are no progress. */
const MOST_INTERIM = 32;

/** A request that was sent, and its answer. */
export class Http2ClientStream extends Http2Stream implements ClientStream {
  readonly #receiver: ResponseReceiver;
  readonly #fields: ResponseFields;
  readonly #request: RequestHead;
  #answered = false;
  #interim = 0;

  constructor(
    id: number,
    connection: Connection,
    request: RequestHead,
    receiver: ResponseReceiver,
    fields: ResponseFields,
  ) {
    super(id, connection);
    this.#request = request;
    this.#receiver = receiver;
    this.#fields = fields;
    this.incoming.receive(receiver);
  }

  override headers(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.#answered) {
      this.trailersCame(bytes, start, end, endStream);
      return;
    }
    const fields = this.#fields;
    fields.begin();
    this.connection.decoder.decode(bytes, start, end, fields);
    const status = fields.status();
    if (typeof status === "string") this.malformed(status);
    else if (status >= 200) this.#final(status, endStream);
    else if (endStream || status === 101) this.malformed("interim answer that ends or upgrades");
    else if (++this.#interim > MOST_INTERIM) this.malformed("too many interim answers");
    else this.#receiver.inform(status, fields.list());
  }

  override body(bytes: Buffer, start: number, end: number, padded: number, endStream: boolean): void {
    if (this.#answered) {
      super.body(bytes, start, end, padded, endStream);
    } else {
      this.connection.consumed(end - start);
      this.malformed("DATA before an answer");
    }
  }

  override writable(): void {
    this.#receiver.writable();
  }

  override sent(): void {
    if (this.incoming.ended) this.finish(true);
  }

  protected override codeFor(): ErrorCode {
    return ErrorCode.cancel;
  }

  /** An answer that has come whole stays one. */
  protected override lose(cause: ResetCause): void {
    if (!this.incoming.ended) this.incoming.abort(cause);
  }

  protected override gone(): void {}

  #final(status: number, endStream: boolean): void {
    const { method, upgrade } = this.#request;
    const succeeded = status < 300;
    const tunnel = succeeded && (upgrade !== undefined || method === "CONNECT");
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    const announced = tunnel ? undefined : this.#fields.announced;
    if (endStream && !bodiless && announced !== undefined && announced > 0) {
      this.malformed("content-length of a body that is not there");
      return;
    }
    this.#answered = true;
    const body = bodyOf(endStream || bodiless, announced);
    if (bodiless) this.incoming.expect(0);
    else if (announced !== undefined) this.incoming.expect(announced);
    this.#receiver.head({
      // Other codecs know the change of protocols by this number (RFC 8441 §5).
      status: tunnel && upgrade !== undefined ? 101 : status,
      headers: this.#fields.list(),
      body,
    });
    if (endStream && !this.over) this.bodyEnded(undefined);
  }
}

function bodyOf(none: boolean, announced: number | undefined): BodyLength {
  if (announced === undefined) return none ? { kind: "none" } : { kind: "streamed" };
  return none ? { kind: "none", announced } : { kind: "sized", bytes: announced };
}
