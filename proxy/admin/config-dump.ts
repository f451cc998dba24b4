import { readFileSync } from "node:fs";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { Bootstrap } from "../config.ts";
import type { ProxyRuntime } from "../runtime/proxy-runtime.ts";
import type { BookedRejection, BookedResource, ResourceBook } from "../runtime/resource-book.ts";

const DUMP = "type.googleapis.com/envoy.admin.v3";
const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** Envoy's `/config_dump`: one part for each type, resources as ProtoJSON. Private keys are left out. */
export function configDump(runtime: ProxyRuntime, bootstrap: Bootstrap): JsonValue {
  const { books } = runtime;
  return {
    configs: [
      { "@type": `${DUMP}.BootstrapConfigDump`, bootstrap: { node: bootstrap.node as unknown as JsonValue } },
      {
        "@type": `${DUMP}.ClustersConfigDump`,
        dynamic_active_clusters: resources(books.cluster, (one) => ({
          cluster: resource(books.cluster, one),
        })),
        dynamic_warming_clusters: errors(books.cluster, "cluster"),
      },
      {
        "@type": `${DUMP}.ListenersConfigDump`,
        dynamic_listeners: listeners(books.listener),
      },
      {
        "@type": `${DUMP}.RoutesConfigDump`,
        dynamic_route_configs: [
          ...resources(books.route, (one) => ({ route_config: resource(books.route, one) })),
          ...errors(books.route, "route_config"),
        ],
      },
      {
        "@type": `${DUMP}.EndpointsConfigDump`,
        dynamic_endpoint_configs: [
          ...resources(books.endpoints, (one) => ({ endpoint_config: resource(books.endpoints, one) })),
          ...errors(books.endpoints, "endpoint_config"),
        ],
      },
      {
        "@type": `${DUMP}.SecretsConfigDump`,
        dynamic_active_secrets: books.secret.list().map(({ name, version, updatedMs, model }) => ({
          name,
          version_info: version,
          last_updated: new Date(updatedMs).toISOString(),
          secret:
            model.kind === "roots"
              ? {
                  "@type": TYPE_URL.secret,
                  name,
                  validation_context: { trusted_ca: { inline_string: model.pem } },
                }
              : {
                  "@type": TYPE_URL.secret,
                  name,
                  tls_certificate: {
                    certificate_chain: { inline_string: model.chainPem },
                    private_key: { inline_string: "[redacted]" },
                  },
                },
        })),
      },
    ],
  };
}

type JsonObject = { readonly [key: string]: JsonValue };

function resources<M>(book: ResourceBook<M>, print: (one: BookedResource<M>) => JsonObject): JsonValue[] {
  return book.list().map((one) => ({
    version_info: one.version,
    last_updated: new Date(one.updatedMs).toISOString(),
    ...print(one),
  }));
}

function resource<M>(book: ResourceBook<M>, { bytes }: BookedResource<M>): JsonObject {
  return { "@type": book.type, ...(json.resourceToJson(book.type, bytes) as JsonObject) };
}

/** Resources whose last version was refused and that have no former one, and the reasons. */
function errors<M>(book: ResourceBook<M>, field: string): JsonValue[] {
  return book
    .rejections()
    .map((one) => ({ [field]: { "@type": book.type, name: one.name }, error_state: errorState(one) }));
}

function errorState({ reason, atMs, version }: BookedRejection): JsonObject {
  return { last_update_attempt: new Date(atMs).toISOString(), details: reason, version_info: version };
}

function listeners<M>(book: ResourceBook<M>): JsonValue[] {
  const refused = new Map(book.rejections().map((one) => [one.name, one]));
  const held = new Map(book.list().map((one) => [one.name, one]));
  return [...new Set([...held.keys(), ...refused.keys()])].sort().map((name) => {
    const active = held.get(name);
    const error = refused.get(name);
    return {
      name,
      ...(active
        ? {
            active_state: {
              version_info: active.version,
              listener: resource(book, active),
              last_updated: new Date(active.updatedMs).toISOString(),
            },
          }
        : {}),
      ...(error ? { error_state: errorState(error) } : {}),
    };
  });
}
