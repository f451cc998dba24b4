import type { BodyLength, RequestHead } from "../../codec/stream.ts";
import { applyEdits } from "../../tables/header-edits.ts";
import type { HeaderList } from "../../tables/header-list.ts";
import type { ForwardDecision } from "../../tables/route-table.ts";
import type { Exchange } from "./exchange.ts";
import { WebSocketKey } from "./websocket-key.ts";

const NO_BODY: BodyLength = { kind: "none" };

/** The request as the route's upstream gets it; `headers` are changed. `original`: its path before the route's rewrite. */
export function upstreamHead(
  exchange: Exchange,
  headers: HeaderList,
  decision: ForwardDecision,
  original: string,
): RequestHead {
  if (decision.rewritten) headers.set("x-envoy-original-path", original);
  applyEdits(headers, decision.requestEdits, exchange);
  // Host is said by the authority; an edit of it would be another one.
  headers.delete("host");
  if (exchange.upgrade === "websocket") exchange.webSocketKey = new WebSocketKey(headers);
  const { method, body } = exchange.head;
  return {
    method,
    target: decision.target,
    authority: decision.authority,
    scheme: exchange.head.scheme,
    upgrade: exchange.upgrade,
    headers,
    // What follows an upgrade is none.
    body: exchange.upgrade === undefined ? body : NO_BODY,
    // The caller's was answered here.
    expectsContinue: false,
  };
}
