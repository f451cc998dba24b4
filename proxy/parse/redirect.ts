import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction as RedirectMessage,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { RedirectAction } from "../model/route.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { parseRewrite } from "./rewrite.ts";

const STATUS = new Map<number, number>([
  [Code.MOVED_PERMANENTLY, 301],
  [Code.FOUND, 302],
  [Code.SEE_OTHER, 303],
  [Code.TEMPORARY_REDIRECT, 307],
  [Code.PERMANENT_REDIRECT, 308],
]);

export function parseRedirect(parent: string, from: RedirectMessage): RedirectAction {
  const where = `${parent}: redirect`;
  onlyFields(where, from, [
    "httpsRedirect",
    "schemeRedirect",
    "hostRedirect",
    "portRedirect",
    "pathRedirect",
    "prefixRewrite",
    "regexRewrite",
    "responseCode",
    "stripQuery",
  ]);
  const status = STATUS.get(from.responseCode);
  if (status === undefined) throw unsupported(where, `response code ${from.responseCode}`);
  return {
    kind: "redirect",
    status,
    scheme: from.httpsRedirect ? "https" : from.schemeRedirect || undefined,
    host: from.hostRedirect || undefined,
    port: from.portRedirect || undefined,
    path: from.pathRedirect || undefined,
    rewrite: parseRewrite(where, from.prefixRewrite, from.regexRewrite),
    stripQuery: from.stripQuery,
  };
}
