/** Runs in a network namespace of a test: serves applications and makes calls as its parent asks (NamespaceShell). */
import { Failures, startHttpEcho, startTcpEcho } from "./mesh-apps.ts";
import { httpCall, tcpCall } from "./mesh-calls.ts";
import type { ShellAnswer, ShellMessage, ShellRequest } from "./namespace-shell.ts";

const failures = new Failures();

process.on("message", ({ id, request }: ShellMessage) => {
  const answer = (rest: Omit<ShellAnswer, "id">): void => void process.send?.({ id, ...rest });
  execute(request).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());

async function execute(request: ShellRequest): Promise<unknown> {
  switch (request.do) {
    case "serve-http":
      await startHttpEcho(request.name, request.at.address, request.at.port, failures);
      return undefined;
    case "serve-tcp":
      await startTcpEcho(request.name, request.at.address, request.at.port);
      return undefined;
    case "call-http":
      return httpCall(request.origin, request.path, request.options);
    case "call-tcp":
      return tcpCall(request.at.address, request.at.port, request.text);
    default:
      return request satisfies never;
  }
}
