/**
 * Loaded into a proxy's threads by `--import`: a connection from 127.0.0.66 makes the thread that accepts it throw, one
 * from 127.0.0.67 makes it loop for ever.
 */
import { Server, type Socket } from "node:net";

export const THROWS = "127.0.0.66";
export const LOOPS = "127.0.0.67";

// oxlint-disable-next-line typescript/unbound-method -- it is called with its `this` below
const emit = Server.prototype.emit;

Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
  const from = event === "connection" ? (args[0] as Socket).remoteAddress : undefined;
  if (from === THROWS) throw new Error("planted");
  if (from === LOOPS) for (;;);
  return Reflect.apply(emit, this, [event, ...args]) as boolean;
};
