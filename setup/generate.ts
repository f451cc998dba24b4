/**
 * Generates the message types that Lateen speaks (Envoy's xDS v3, Istio's certificate service, SPIFFE's Workload API,
 * gRPC's health service, its own agent service) into `mesh/xds/gen/`, together with a descriptor set for canonical
 * ProtoJSON, which has all of Envoy's extensions too. Runs at set-up; nothing of it is committed. A stamp over the inputs makes a second run free.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "..");
const out = join(root, "mesh/xds/gen");
const ownProtos = join(root, "mesh/xds/proto");
const xdsPackage = join(root, "node_modules/@grpc/grpc-js-xds");

/** Messages that are read or written; what they import comes along. */
const ROOTS = [
  "envoy/admin/v3/clusters.proto",
  "envoy/admin/v3/config_dump.proto",
  "envoy/config/cluster/v3/cluster.proto",
  "envoy/config/endpoint/v3/endpoint.proto",
  "envoy/config/listener/v3/listener.proto",
  "envoy/config/route/v3/route.proto",
  "envoy/config/trace/v3/opentelemetry.proto",
  "envoy/config/trace/v3/zipkin.proto",
  "envoy/extensions/access_loggers/file/v3/file.proto",
  "envoy/extensions/access_loggers/filters/cel/v3/cel.proto",
  "envoy/extensions/access_loggers/grpc/v3/als.proto",
  "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto",
  "envoy/extensions/access_loggers/stream/v3/stream.proto",
  "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.proto",
  "envoy/extensions/filters/http/cors/v3/cors.proto",
  "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.proto",
  "envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto",
  "envoy/extensions/filters/http/fault/v3/fault.proto",
  "envoy/extensions/filters/http/jwt_authn/v3/config.proto",
  "envoy/extensions/filters/http/on_demand/v3/on_demand.proto",
  "envoy/extensions/filters/http/rbac/v3/rbac.proto",
  "envoy/extensions/filters/http/router/v3/router.proto",
  "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto",
  "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto",
  "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
  "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
  "envoy/extensions/filters/network/ext_authz/v3/ext_authz.proto",
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "envoy/extensions/filters/network/rbac/v3/rbac.proto",
  "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
  "envoy/extensions/formatter/cel/v3/cel.proto",
  "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
  "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto",
  "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto",
  "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto",
  "envoy/extensions/transport_sockets/tls/v3/secret.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls.proto",
  "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
  "envoy/service/accesslog/v3/als.proto",
  "envoy/service/auth/v3/external_auth.proto",
  "envoy/service/discovery/v3/discovery.proto",
  "grpc/health/v1/health.proto",
  "istio/v1/auth/ca.proto",
  "lateen/agent/v1/agent.proto",
  "lateen/names/v1/names.proto",
  "opentelemetry/proto/collector/logs/v1/logs_service.proto",
  "opentelemetry/proto/collector/trace/v1/trace_service.proto",
  "spiffe/workload/workload.proto",
];

const TS_PROTO_OPTIONS = [
  "enumsAsLiterals=true",
  "esModuleInterop=true",
  "forceLong=number",
  "importSuffix=.ts",
  "outputJsonMethods=false",
  "outputServices=none",
  "useJsTypeOverride=true",
  "useNullAsOptional=false",
];

async function main(): Promise<void> {
  const stamp = await inputStamp();
  if ((await readFile(join(out, ".stamp"), "utf8").catch(() => "")) === stamp) return;
  process.stdout.write("generating xDS messages … ");
  const work = await mkdtemp(join(tmpdir(), "lateen-gen-"));
  try {
    await assemble(work);
    await runBuf(work);
    await markGenerated(join(work, "gen"));
    await writeFile(join(work, "gen/.stamp"), stamp);
    await rm(out, { recursive: true, force: true });
    await rename(join(work, "gen"), out).catch(() => cp(join(work, "gen"), out, { recursive: true }));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  process.stdout.write("done\n");
}

/** Puts the package's proto trees, our own files and the generator's configuration into one place that buf accepts. */
async function assemble(work: string): Promise<void> {
  for (const tree of ["envoy-api", "xds", "googleapis", "protoc-gen-validate"]) {
    await cp(join(xdsPackage, "deps", tree), join(work, "proto"), { recursive: true });
  }
  await cp(ownProtos, join(work, "proto"), { recursive: true });
  await allowIgnoreEmpty(join(work, "proto/validate/validate.proto"));
  await addSourcedMetadata(join(work, "proto/envoy/config/rbac/v3/rbac.proto"));
  await addBudgetInterval(join(work, "proto/envoy/config/cluster/v3/circuit_breaker.proto"));
  await addErrorMatcher(join(work, "proto/envoy/extensions/upstreams/http/v3/http_protocol_options.proto"));
  await mkdir(join(work, "gen"));
  await writeFile(join(work, "buf.yaml"), "version: v2\nmodules:\n  - path: proto\n");
  await writeFile(
    join(work, "buf.gen.yaml"),
    JSON.stringify({
      version: "v2",
      plugins: [
        {
          local: [process.execPath, join(root, "node_modules/ts-proto/protoc-gen-ts_proto")],
          out: "gen",
          strategy: "all",
          include_imports: true,
          include_wkt: true,
          opt: TS_PROTO_OPTIONS,
        },
      ],
    }),
  );
}

/** The bundled `validate.proto` is older than the Envoy tree beside it, which uses `StringRules.ignore_empty`. */
async function allowIgnoreEmpty(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (/message StringRules \{[\s\S]*?ignore_empty[\s\S]*?\n\}/.test(text)) return;
  await writeFile(
    path,
    text.replace("message StringRules {", "message StringRules {\n  optional bool ignore_empty = 26;"),
  );
}

/** What Envoy has since 1.33 in the place of `metadata`, which it warns of. The bundled tree is older. */
async function addSourcedMetadata(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (text.includes("SourcedMetadata")) return;
  const message = "message SourcedMetadata {\n  type.matcher.v3.MetadataMatcher metadata_matcher = 1;\n}\n";
  const patched = text
    .replace(
      /^( +core\.v3\.TypedExtensionConfig uri_template = 13;)$/m,
      "$1\n    SourcedMetadata sourced_metadata = 14;",
    )
    .replace(/^( +Principal not_id = 8;)$/m, "$1\n    SourcedMetadata sourced_metadata = 13;");
  await writeFile(path, `${patched}\n${message}`);
}

/** Of a retry budget: Envoy 1.40 has it, 1.36 passes over it. The bundled tree is older. */
async function addBudgetInterval(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (text.includes("budget_interval")) return;
  const patched = text
    .replace(
      /^( +)(type\.v3\.Percent budget_percent = 1;)$/m,
      "$1$2\n$1google.protobuf.Duration budget_interval = 3;",
    )
    .replace('import "google/protobuf/wrappers.proto";', 'import "google/protobuf/duration.proto";\n$&');
  await writeFile(path, patched);
}

/** What counts as an error for outlier detection (Envoy 1.36 has it). The bundled tree is older. */
async function addErrorMatcher(path: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (text.includes("error_matcher")) return;
  const message =
    "  message OutlierDetection {\n    config.common.matcher.v3.MatchPredicate error_matcher = 1;\n  }\n  OutlierDetection outlier_detection = 8;\n";
  const patched = text
    .replace(/^message HttpProtocolOptions \{$/m, `$&\n${message}`)
    .replace(
      'import "envoy/config/core/v3/extension.proto";',
      'import "envoy/config/common/matcher/v3/matcher.proto";\n$&',
    );
  await writeFile(path, patched);
}

async function runBuf(work: string): Promise<void> {
  const buf = join(root, "node_modules/.bin/buf");
  const run = promisify(execFile);
  const pathsOf = (files: readonly string[]): string[] =>
    files.flatMap((file) => ["--path", `proto/${file}`]);
  const options = { cwd: work, maxBuffer: 64 << 20 };
  await run(buf, ["generate", ...pathsOf(ROOTS)], options);
  const described = pathsOf([...ROOTS, ...extensionFiles(join(work, "proto"))]);
  await run(buf, ["build", ...described, "--exclude-source-info", "-o", "gen/descriptors.binpb"], options);
}

/** All that an EnvoyFilter may put into a resource, but for the few files whose imports are not in the package. */
function extensionFiles(protos: string): readonly string[] {
  const whole = new Map<string, boolean>();
  const isWhole = (file: string): boolean => {
    const known = whole.get(file);
    if (known !== undefined) return known;
    whole.set(file, true);
    const path = join(protos, file);
    const answer =
      file.startsWith("google/protobuf/") ||
      (existsSync(path) && importsOf(readFileSync(path, "utf8")).every(isWhole));
    whole.set(file, answer);
    return answer;
  };
  const globs = ["envoy/{config,extensions}/**/v3/*.proto", "{udpa,xds}/type/**/*.proto"];
  return globSync(globs, { cwd: protos }).filter(isWhole);
}

function importsOf(proto: string): readonly string[] {
  return [...proto.matchAll(/^import (?:public |weak )?"([^"]+)"/gm)].map((found) => found[1] ?? "");
}

/** Generated files are outside our compiler settings: their types are used, their bodies are not checked. */
async function markGenerated(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const path = join(entry.parentPath, entry.name);
    await writeFile(path, `// @ts-nocheck\n${await readFile(path, "utf8")}`);
  }
}

async function inputStamp(): Promise<string> {
  const hash = createHash("sha256");
  for (const path of [
    import.meta.filename,
    join(xdsPackage, "package.json"),
    join(root, "node_modules/ts-proto/package.json"),
    ...globSync("**/*.proto", { cwd: ownProtos })
      .sort()
      .map((file) => join(ownProtos, file)),
  ]) {
    hash.update(await readFile(path));
  }
  return hash.digest("hex");
}

await main();
