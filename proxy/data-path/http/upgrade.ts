import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { applyEdits } from "../../tables/header-edits.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { joinStreams } from "../join-streams.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Exchange, replyLocally } from "./exchange.ts";
import { removeHopByHop } from "./hop-by-hop.ts";

export interface UpgradedUpstream {
  readonly response: IncomingMessage;
  readonly socket: Socket;
  /** Bytes of the new protocol that came with the response's head. */
  readonly head: Buffer;
}

/** Passes an upgrade on and joins the two connections. Resolves when they are closed. */
export async function relayUpgrade(
  exchange: Exchange,
  upstream: UpgradedUpstream,
  deadlines: Deadlines,
): Promise<void> {
  const { request, response: reply, record, upgrade } = exchange;
  upstream.socket.on("error", () => {});
  const protocol = upstream.response.headers.upgrade?.toLowerCase();
  if (upgrade === undefined || protocol !== upgrade.protocol) {
    upstream.socket.destroy();
    replyLocally(exchange, {
      status: 502,
      flag: "UPE",
      details: "upstream_protocol_error{unexpected_upgrade}",
    });
    return;
  }
  const idleMs = exchange.manager.model.streamIdleTimeoutMs;
  deadlines.stop();
  record.status = 101;
  record.details = "via_upstream";
  const socket = request.socket;
  reply.detachSocket(socket);
  socket.write(switchingHead(exchange, upstream.response, upgrade.protocol), "latin1");
  if (upstream.head.length > 0) socket.write(upstream.head);
  if (upgrade.head.length > 0) upstream.socket.write(upgrade.head);
  await joinStreams(socket, upstream.socket, {
    idleMs,
    fromLeft: (count) => (record.bytesReceived += count),
    fromRight: (count) => (record.bytesSent += count),
  });
}

function switchingHead({ additions }: Exchange, response: IncomingMessage, protocol: string): string {
  const headers = HeaderList.fromRaw(response.rawHeaders);
  removeHopByHop(headers);
  if (additions) applyEdits(headers, [additions]);
  headers.set("connection", "upgrade");
  headers.set("upgrade", protocol);
  const raw = headers.toRaw();
  const lines = raw.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${raw[index + 1] ?? ""}`] : []));
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`;
}
