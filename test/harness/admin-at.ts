import { AdminClient } from "../../cli/client.ts";

/** A client of the server behind a unix socket. */
export function adminAt(socketPath: string): AdminClient {
  return new AdminClient({ socketPath });
}
