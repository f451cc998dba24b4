import type { HttpRedirect } from "../../../mesh/model/virtual-service.ts";
import {
  RedirectAction,
  RedirectAction_RedirectResponseCode as RedirectCode,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";

const REDIRECT_CODES: Readonly<Record<HttpRedirect["code"], RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
};

/** The port that a scheme means without saying it. */
const DEFAULT_PORT: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** How a call came in, as far as a redirect tells the client to come another way. */
export interface CalledAt {
  readonly port: number;
  readonly tls: boolean;
}

export function redirectAction(redirect: HttpRedirect, called: CalledAt): RedirectAction {
  const { uri, authority, scheme, prefixRewrite, code } = redirect;
  return RedirectAction.fromPartial({
    hostRedirect: authority,
    portRedirect: port(redirect, called),
    responseCode: REDIRECT_CODES[code],
    ...(prefixRewrite !== "" ? { prefixRewrite } : uri !== "" ? { pathRedirect: uri } : {}),
    ...(scheme === "" ? {} : { schemeRedirect: scheme }),
  });
}

/** 0: the one that the request was for, or the scheme's own when that changes. */
function port({ port, derivePort, scheme }: HttpRedirect, called: CalledAt): number {
  const wanted = port ?? (derivePort === "FROM_REQUEST_PORT" ? called.port : 0);
  return wanted === DEFAULT_PORT[scheme || (called.tls ? "https" : "http")] ? 0 : wanted;
}
