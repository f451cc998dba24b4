import * as z from "zod";
import {
  type List,
  listOf,
  PROXY_RESOURCE_TYPES,
  type ProxyReply,
  type ProxyResourceReply,
  type SyncReply,
} from "../../mesh/admin-api/replies.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, notFound, parsePart } from "./route.ts";

const nothing = z.strictObject({});
const syncQuery = z.strictObject({
  snapshot: z.coerce.number().int().min(0),
  timeoutMs: z.coerce.number().int().min(0).max(60_000).default(10_000),
});
const configPath = z.object({ namespace: z.string(), name: z.string() });
const configQuery = z.strictObject({ type: z.enum([...PROXY_RESOURCE_TYPES, "all"]).default("all") });

const see = { resource: "proxies", verb: "read", reach: "namespace" } as const;

export const proxyRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/sync", ...see, handle: sync },
  { method: "GET", path: "/v1/proxy-status", ...see, handle: status },
  { method: "GET", path: "/v1/proxies/:namespace/:name/config", ...see, handle: config },
];

async function sync(call: AdminCall, deps: AdminDeps): Promise<SyncReply> {
  const { snapshot, timeoutMs } = parsePart("query", syncQuery, call.query);
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(timeoutMs)]);
  const { rejected, ...counts } = await deps.sync.waitForSync(snapshot, signal);
  const own = rejected.filter(({ workload }) => holdsIn(call.caller, namespaceOf(workload)));
  return { snapshot, ...counts, rejected: own };
}

function status(call: AdminCall, deps: AdminDeps): List<ProxyReply> {
  parsePart("query", nothing, call.query);
  return listOf(deps.proxies.list().filter(({ workload }) => holdsIn(call.caller, namespaceOf(workload))));
}

function namespaceOf(workload: string): string | undefined {
  return workload.split("/", 1)[0];
}

function config(call: AdminCall, deps: AdminDeps): List<ProxyResourceReply> {
  const { namespace, name } = parsePart("path", configPath, call.params);
  const { type } = parsePart("query", configQuery, call.query);
  assertHoldsIn(call.caller, namespace);
  const types = type === "all" ? PROXY_RESOURCE_TYPES : [type];
  const resources = deps.proxies.config(`${namespace}/${name}`, types);
  if (resources === undefined) {
    throw notFound(`workload ${namespace}/${name}`, "lateen get workloads -A lists what agents registered");
  }
  return listOf(resources);
}
