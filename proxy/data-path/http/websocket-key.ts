import { createHash, randomBytes } from "node:crypto";
import type { HeaderList } from "../../tables/header-list.ts";

const KEY = "sec-websocket-key";
const ACCEPT = "sec-websocket-accept";
/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The handshake of a WebSocket between a caller and an upstream of which only one may use HTTP/2, which has no keys (RFC 8441 §5). */
export class WebSocketKey {
  readonly #callers: string | undefined;

  /** `headers` of the request, which get a key where the caller has sent none. */
  constructor(headers: HeaderList) {
    this.#callers = headers.get(KEY);
    if (this.#callers === undefined) headers.append(KEY, randomBytes(16).toString("base64"));
  }

  /** Makes the upstream's answer one to what the caller has asked. */
  answer(headers: HeaderList): void {
    if (this.#callers === undefined) headers.delete(ACCEPT);
    else if (!headers.has(ACCEPT)) {
      const accept = createHash("sha1").update(this.#callers + GUID);
      headers.append(ACCEPT, accept.digest("base64"));
    }
  }
}
