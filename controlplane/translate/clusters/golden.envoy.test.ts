import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { mintRoot, mintSvid } from "../../../test/harness/test-certificates.ts";
import { skipWithout } from "../../../test/harness/tools.ts";
import { validateBootstrap } from "../../../test/harness/validate-envoy.ts";
import { dynamicForwardProxyFilter } from "./dynamic-dns.ts";

type Json = { readonly [key: string]: unknown };

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const golden = join(import.meta.dirname, "golden");
const ADS_TARGET = { address: { pipe: { path: "/nowhere/xds.sock" } } };

/** Istio says these too: their successor, a cluster extension, is one that older Envoys do not have. */
const DEPRECATED_AS_IN_ISTIO = /v3\.Cluster\.(dns_refresh_rate|respect_dns_ttl)'/;

/** Clusters of one file; the endpoints are looked at as part of clusters, since a bootstrap has no other place for them. */
async function clustersIn(file: string): Promise<readonly Json[]> {
  const { cluster, endpoints } = JSON.parse(await readFile(join(golden, file), "utf8"));
  const assigned = (endpoints as Json[]).map((loadAssignment, index) => ({
    name: `assignment-${index}`,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment,
  }));
  return [...(cluster as Json[]), ...assigned].map((one) => ({
    ...one,
    name: `${file} ${String(one["name"])}`,
  }));
}

function bootstrap(clusters: readonly Json[]): Json {
  const ads = {
    name: "ads",
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: { clusterName: "ads", endpoints: [{ lbEndpoints: [{ endpoint: ADS_TARGET }] }] },
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  };
  return {
    node: { id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local", cluster: "test" },
    dynamicResources: {
      adsConfig: {
        apiType: "DELTA_GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "ads" } }],
      },
    },
    staticResources: { clusters: [...clusters, ads] },
  };
}

/** Envoy reads the files that a cluster names: here are some to read. A revocation list it would have to believe in. */
async function withFiles(clusters: readonly Json[], folder: string): Promise<readonly Json[]> {
  const root = mintRoot();
  const leaf = mintSvid(root, "spiffe://cluster.local/ns/default/sa/client");
  const contents = { "client.pem": leaf.pem, "client.key": leaf.keyPem, "roots.pem": root.pem };
  for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, name), text);
  const text = JSON.stringify(clusters)
    .replaceAll("/etc/ssl/certs/ca-certificates.crt", join(folder, "roots.pem"))
    .replaceAll('"crl":{"filename":"/etc/certs/crl.pem"},', "")
    .replaceAll("/etc/certs/", `${folder}/`);
  return JSON.parse(text, (key, value) => (key === "sdsConfig" ? SECRETS : value));
}

/** Over ADS as over anything else; but a cluster of a bootstrap asks for its secrets before there is an ADS. */
const SECRETS: Json = {
  resourceApiVersion: "V3",
  apiConfigSource: {
    apiType: "DELTA_GRPC",
    transportApiVersion: "V3",
    grpcServices: [{ envoyGrpc: { clusterName: "ads" } }],
  },
};

test("Envoy accepts every golden cluster and assignment", { skip: skipWithout("envoy") }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-clusters-"));
  try {
    const files = (await readdir(golden)).filter((name) => name.endsWith(".json")).sort();
    const clusters = (await Promise.all(files.map(clustersIn))).flat();
    assert.ok(clusters.length > 50, "the golden files are found");
    const said = (await validateBootstrap(bootstrap(await withFiles(clusters, folder))))
      .split("\n")
      .filter((line) => !DEPRECATED_AS_IN_ISTIO.test(line))
      .join("\n");
    assert.doesNotMatch(said, /REFUSED|deprecated/i, said);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("Envoy accepts the filter that looks hosts up, together with its cluster", {
  skip: skipWithout("envoy"),
}, async () => {
  const named = await clustersIn("dynamic-dns-tls.json");
  const { typedConfig, ...filter } = dynamicForwardProxyFilter;
  assert.ok(typedConfig);
  const config = json.resourceToJson(typedConfig.typeUrl, typedConfig.value) as Json;
  const router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    statPrefix: "test",
    routeConfig: { name: "none" },
    httpFilters: [
      { name: filter.name, typedConfig: { "@type": typedConfig.typeUrl, ...config } },
      { name: "router", typedConfig: { "@type": router } },
    ],
  };
  const listener = {
    name: "test",
    address: { socketAddress: { address: "127.0.0.1", portValue: 20_000 } },
    filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
  };
  const folder = await mkdtemp(join(tmpdir(), "lateen-clusters-"));
  try {
    const { staticResources, ...rest } = bootstrap(await withFiles(named, folder));
    const said = await validateBootstrap({
      ...rest,
      staticResources: { ...(staticResources as Json), listeners: [listener] },
    });
    assert.doesNotMatch(said, /REFUSED|deprecated/i, said);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
