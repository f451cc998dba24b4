import { request } from "undici";
import { MeshError } from "../../mesh/errors.ts";
import type { AdminClient } from "../client.ts";
import { type DemoHost, NAMESPACE, SERVICE_PORT, upstreamsText } from "./topology.ts";

/** Where the demo's services are registered. */
export interface DemoCatalog {
  readonly name: string;
  register(host: DemoHost): Promise<void>;
  deregister(host: DemoHost): Promise<void>;
  /** The `discovery` part of the agent's configuration, and the service file that it reads, if it reads one. */
  discoveryOf(host: DemoHost): {
    readonly discovery: Readonly<Record<string, unknown>>;
    readonly services?: unknown;
  };
}

/** The server's own catalog; agents read what runs on their host from a file. */
export function embeddedCatalog(admin: AdminClient, servicesFileOf: (host: DemoHost) => string): DemoCatalog {
  return {
    name: "embedded",
    async register(host) {
      await admin.put(`/v1/registry/embedded/instances/${host.name}`, {
        service: host.service,
        namespace: NAMESPACE,
        node: host.name,
        address: host.address,
        port: SERVICE_PORT,
        protocol: "http",
        labels: labelsOf(host),
      });
    },
    async deregister(host) {
      await admin.delete(`/v1/registry/embedded/instances/${host.name}`);
    },
    discoveryOf: (host) => ({
      discovery: { kind: "file", path: servicesFileOf(host) },
      services: {
        services: [
          {
            id: host.name,
            name: host.service,
            namespace: NAMESPACE,
            serviceAccount: host.serviceAccount,
            address: host.address,
            port: SERVICE_PORT,
            protocol: "http",
            labels: labelsOf(host),
            upstreams: host.upstreams.map(
              ({ service, bindPort }) => `${service}:${SERVICE_PORT}@${bindPort}`,
            ),
            registry: "embedded",
            instanceId: host.name,
          },
        ],
      },
    }),
  };
}

/** A real Consul: agents find their services in it by the `lateen-inject` meta key. */
export function consulCatalog(address: string): DemoCatalog {
  return {
    name: `Consul at ${address}`,
    async register(host) {
      await putConsul(address, "/v1/agent/service/register", {
        ID: host.name,
        Name: host.service,
        Address: host.address,
        Port: SERVICE_PORT,
        Meta: {
          "lateen-inject": "true",
          "lateen-protocol": "http",
          "lateen-version": host.version,
          "lateen-sa": host.serviceAccount,
          ...(host.upstreams.length > 0 ? { "lateen-upstreams": upstreamsText(host) } : {}),
        },
      });
    },
    async deregister(host) {
      await putConsul(address, `/v1/agent/service/deregister/${host.name}`, undefined);
    },
    discoveryOf: () => ({ discovery: { kind: "consul", consul: address } }),
  };
}

function labelsOf(host: DemoHost): Readonly<Record<string, string>> {
  return { app: host.service, version: host.version };
}

async function putConsul(address: string, path: string, body: unknown): Promise<void> {
  const answer = await request(`${address}${path}`, {
    method: "PUT",
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    headersTimeout: 5000,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) {
    throw new MeshError("registry.unavailable", `PUT ${path} to Consul: ${answer.statusCode} ${text}`);
  }
}
