import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { ReadinessProbe } from "../../mesh/model/readiness-probe.ts";
import { VERSION } from "../../mesh/version.ts";
import type { CheckPlace } from "./check-place.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

type HttpCheck = Extract<ReadinessProbe["check"], { readonly kind: "http" }>;

/**
 * One GET over a connection of its own: 200 to 399 is ready, and nobody follows where a redirect leads. The body is not
 * read, and a certificate is not verified: it is about being ready, as with Kubernetes' and Istio's probes.
 */
export function httpCheck(check: HttpCheck, place: CheckPlace, signal: AbortSignal): Promise<Outcome> {
  return outcomeOf((settle) => {
    const own = new Headers(check.headers.map(({ name, value }) => [name, value]));
    const headers = { "user-agent": `lateen-probe/${VERSION}`, ...Object.fromEntries(own) };
    const send = check.scheme === "HTTPS" ? httpsRequest : httpRequest;
    const request = send({
      host: place.address,
      port: place.port,
      localAddress: place.from,
      path: check.path,
      headers,
      agent: false,
      rejectUnauthorized: false,
      signal,
    });
    request.once("response", ({ statusCode = 0 }) => {
      settle(statusCode >= 200 && statusCode < 400 ? "" : `it answered ${statusCode}`);
      request.destroy();
    });
    request.once("upgrade", (_, socket) => {
      settle("it changed the protocol");
      socket.destroy();
    });
    request.on("error", (error) => settle(error.message));
    request.end();
  });
}
