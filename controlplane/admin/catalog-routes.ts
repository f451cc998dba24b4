import * as z from "zod";
import {
  type EmbeddedInstance,
  type List,
  listOf,
  type RegistryReply,
  type ServiceReply,
  type VersionReply,
  type WorkloadReply,
} from "../../mesh/admin-api/replies.ts";
import { assertHoldsIn, holdsIn } from "./access/caller.ts";
import type { AdminDeps } from "./ports.ts";
import { type AdminCall, type AdminRoute, notFound, parseJsonBody, parsePart } from "./route.ts";

const LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

const name = z
  .string()
  .max(63)
  .regex(LABEL, "must be lower-case letters, digits and dashes, as in a host name");
const id = z.string().regex(/^\P{Cc}{1,253}$/u, "must be 1 to 253 printable characters");
const port = z.number().int().min(1).max(65_535);
const idPath = z.object({ id });
const instanceBody = z.strictObject({
  service: name,
  namespace: name.default("default"),
  node: z.string().max(253).default(""),
  address: z.union([z.ipv4(), z.ipv6()], "must be an IP address"),
  port,
  servicePort: port.optional(),
  protocol: z.enum(["http", "http2", "grpc", "tcp", "tls"]).optional(),
  labels: z.record(z.string().min(1).max(317), z.string().max(253)).default({}),
  healthy: z.boolean().default(true),
  weight: z.number().int().min(1).max(65_535).default(1),
  locality: z.string().max(253).default(""),
});

const see = { resource: "catalog", verb: "read", reach: "namespace" } as const;
const change = { resource: "catalog", verb: "write", reach: "namespace" } as const;

export const catalogRoutes: readonly AdminRoute[] = [
  { method: "GET", path: "/v1/services", ...see, handle: services },
  { method: "GET", path: "/v1/workloads", ...see, handle: workloads },
  { method: "GET", path: "/v1/registries", ...see, reach: "any", handle: registries },
  { method: "GET", path: "/v1/registry/embedded/instances", ...see, handle: list },
  { method: "GET", path: "/v1/registry/embedded/instances/:id", ...see, handle: get },
  { method: "PUT", path: "/v1/registry/embedded/instances/:id", ...change, handle: put },
  { method: "DELETE", path: "/v1/registry/embedded/instances/:id", ...change, handle: remove },
  { method: "GET", path: "/v1/version", ...see, reach: "any", handle: version },
];

function services({ caller }: AdminCall, deps: AdminDeps): List<ServiceReply> {
  return listOf(deps.services().filter(({ namespace }) => holdsIn(caller, namespace)));
}

function workloads({ caller }: AdminCall, deps: AdminDeps): List<WorkloadReply> {
  return listOf(deps.workloads().filter(({ namespace }) => holdsIn(caller, namespace)));
}

function registries(_call: AdminCall, deps: AdminDeps): List<RegistryReply> {
  return listOf(deps.registries());
}

function list({ caller }: AdminCall, deps: AdminDeps): List<EmbeddedInstance> {
  return listOf(deps.embedded.list().filter(({ namespace }) => holdsIn(caller, namespace)));
}

function get(call: AdminCall, deps: AdminDeps): EmbeddedInstance {
  const { id } = parsePart("path", idPath, call.params);
  const found = visible(id, call, deps);
  if (found === undefined) throw notFoundInstance(id);
  return found;
}

/** One of a namespace that the caller does not see is not there for it. */
function visible(id: string, { caller }: AdminCall, deps: AdminDeps): EmbeddedInstance | undefined {
  const found = deps.embedded.list().find((instance) => instance.id === id);
  return found !== undefined && holdsIn(caller, found.namespace) ? found : undefined;
}

function put(call: AdminCall, deps: AdminDeps): EmbeddedInstance {
  const { id } = parsePart("path", idPath, call.params);
  const body = parseJsonBody(instanceBody, call.body);
  const instance = { ...body, id, servicePort: body.servicePort, protocol: body.protocol };
  assertHoldsIn(call.caller, instance.namespace);
  // An id is the mesh's: nobody takes over another namespace's by its name.
  const holder = deps.embedded.list().find((one) => one.id === id);
  if (holder !== undefined) assertHoldsIn(call.caller, holder.namespace);
  deps.embedded.put(instance);
  return instance;
}

function remove(call: AdminCall, deps: AdminDeps): { readonly id: string } {
  const { id } = parsePart("path", idPath, call.params);
  if (visible(id, call, deps) === undefined || !deps.embedded.remove(id)) throw notFoundInstance(id);
  return { id };
}

function version(_call: AdminCall, deps: AdminDeps): VersionReply {
  return deps.version;
}

function notFoundInstance(id: string): Error {
  return notFound(`instance ${id}`, "lateen service list shows the embedded registry's instances");
}
