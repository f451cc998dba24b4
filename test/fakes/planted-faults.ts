/**
 * Loaded into a proxy's threads by `--import`: a connection from 127.0.0.66 makes the thread that accepts it throw, one
 * from 127.0.0.67 makes it loop for ever. At 127.0.0.68 the first worker can listen and the others cannot.
 */
import { Server, type Socket } from "node:net";
import { threadId } from "node:worker_threads";

export const THROWS = "127.0.0.66";
export const LOOPS = "127.0.0.67";
export const FIRST_ALONE = "127.0.0.68";

// oxlint-disable-next-line typescript/unbound-method -- it is called with its `this` below
const { emit, listen } = Server.prototype;

Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
  const from = event === "connection" ? (args[0] as Socket).remoteAddress : undefined;
  if (from === THROWS) throw new Error("planted");
  if (from === LOOPS) for (;;);
  return Reflect.apply(emit, this, [event, ...args]) as boolean;
};

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const [place] = args;
  const isThere =
    typeof place === "object" && place !== null && "host" in place && place.host === FIRST_ALONE;
  if (isThere && threadId > 1) throw new Error("planted: no socket is left");
  return Reflect.apply(listen, this, args) as Server;
};
