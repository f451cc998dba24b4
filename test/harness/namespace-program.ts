/** Runs in a network namespace of a test: serves applications and makes calls as its parent asks (NamespaceShell). */
import { edgeTcpCall } from "./edge-calls.ts";
import { KeptTraffic } from "./kept-traffic.ts";
import {
  Failures,
  startGreeter,
  startHttp2Echo,
  startHttpEcho,
  startTcpEcho,
  startTlsEcho,
} from "./mesh-apps.ts";
import { http2Call, httpCall, tcpCall } from "./mesh-calls.ts";
import type { ShellAnswer, ShellMessage, ShellRequest } from "./namespace-shell.ts";
import { mint } from "./test-certificates.ts";

const failures = new Failures();
let traffic: KeptTraffic | undefined;

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
    case "serve":
      return serve(request);
    case "call-http":
      return httpCall(request.origin, request.path, request.options);
    case "call-h2":
      return http2Call(request.origin, request.authority);
    case "call-tcp":
      return tcpCall(request.at.address, request.at.port, request.text);
    case "call-tls":
      return edgeTcpCall(request.at.address, request.at.port, { serverName: request.serverName });
    case "begin-traffic":
      traffic = new KeptTraffic(request.origin);
      return undefined;
    case "tell-traffic":
      return traffic?.tally;
    case "end-traffic":
      return await traffic?.end();
    default:
      return request satisfies never;
  }
}

async function serve({ app, name, at }: Extract<ShellRequest, { readonly do: "serve" }>): Promise<void> {
  const { address, port } = at;
  switch (app) {
    case "http":
      await startHttpEcho(name, address, port, failures);
      return;
    case "h2":
      await startHttp2Echo(name, address, port);
      return;
    case "tcp":
      await startTcpEcho(name, address, port);
      return;
    case "greeter":
      await startGreeter(name, address, port);
      return;
    case "tls":
      await startTlsEcho(name, address, port, mint({ commonName: name }));
      return;
    default:
      return app satisfies never;
  }
}
