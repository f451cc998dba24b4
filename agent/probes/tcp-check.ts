import { connect } from "node:net";
import type { CheckPlace } from "./check-place.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** Whether somebody takes a connection. */
export function tcpCheck({ address, port, from }: CheckPlace, signal: AbortSignal): Promise<Outcome> {
  return outcomeOf((settle) => {
    const socket = connect({ host: address, port, localAddress: from, signal });
    socket.once("connect", () => {
      settle("");
      socket.destroy();
    });
    socket.on("error", (error) => settle(error.message));
  });
}
