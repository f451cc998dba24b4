/** Loaded into a proxy first: its admin interface opens half a second late, as on a busy host. */
import { Server } from "node:net";

const LATE_MS = 500;
// oxlint-disable-next-line typescript/unbound-method -- it is called with its `this` below
const { listen } = Server.prototype;

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const start = (): unknown => Reflect.apply(listen, this, args);
  if (JSON.stringify(args[0] ?? "").includes("admin.sock")) setTimeout(start, LATE_MS);
  else start();
  return this;
} as typeof listen;
