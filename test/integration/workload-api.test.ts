import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { Client, type ClientReadableStream, credentials, Metadata, status } from "@grpc/grpc-js";
import { identifyCaller } from "../../agent/workload-api/caller.ts";
import { runWorkloadApi, type WorkloadApiOptions } from "../../agent/workload-api/workload-api.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { secretDiscoveryService } from "../../mesh/xds/ads-service.ts";
import { Secret } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import { X509BundlesResponse, X509SVIDResponse } from "../../mesh/xds/gen/spiffe/workload/workload.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { EnvoyProcess } from "../harness/envoy-process.ts";
import { eventually } from "../harness/eventually.ts";
import { HeldSvids } from "../harness/held-svids.ts";
import { skipWithout } from "../harness/tools.ts";

const UID = process.getuid?.() ?? 0;
const NOBODY = 65_534;
const REVIEWS = "spiffe://cluster.local/ns/default/sa/reviews";
const RATINGS = "spiffe://cluster.local/ns/default/sa/ratings";
const rule = (serviceAccount: string, uid: number) => ({ namespace: "default", serviceAccount, uid });

interface Running extends AsyncDisposable {
  readonly held: HeldSvids;
  readonly socketPath: string;
  readonly client: Client;
  stop(): Promise<void>;
}

const optionsOf = (held: HeldSvids) => ({
  open: false,
  rules: [],
  identify: identifyCaller,
  svids: held,
  bundle: held.bundle,
  tokens: {
    token: async () => {
      throw new Error("nobody asks for tokens here: test/e2e/jwt-svid.test.ts");
    },
  },
  clock: systemClock,
  logger: silentLogger,
});

async function start(
  over: Partial<WorkloadApiOptions> = {},
  ...accounts: readonly string[]
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-workload-"));
  if (over.open) await chmod(folder, 0o755);
  const held = await HeldSvids.make();
  for (const account of accounts) await held.issue(account);
  const abort = new AbortController();
  const socketPath = join(folder, "workload.sock");
  const running = runWorkloadApi({ ...optionsOf(held), socketPath, ...over }, abort.signal);
  await Promise.race([running, eventually("the socket", () => stat(socketPath).catch(() => undefined))]);
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
  };
  return {
    held,
    socketPath,
    client,
    stop,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client as the specification has it, with nothing of the server's. */
class Fetch<S> {
  readonly #stream: ClientReadableStream<S>;
  readonly #messages: S[] = [];
  readonly code: Promise<status>;

  constructor(
    client: Client,
    method: string,
    decode: (bytes: Uint8Array) => S,
    header: readonly string[] = ["true"],
  ) {
    const metadata = new Metadata();
    for (const value of header) metadata.add("workload.spiffe.io", value);
    this.#stream = client.makeServerStreamRequest(
      `/SpiffeWorkloadAPI/${method}`,
      () => Buffer.alloc(0),
      (bytes: Buffer) => decode(bytes),
      {},
      metadata,
    );
    this.#stream.on("data", (message: S) => this.#messages.push(message));
    const ended = Promise.withResolvers<status>();
    this.code = ended.promise;
    this.#stream.on("status", ({ code }: { code: status }) => ended.resolve(code));
    this.#stream.on("error", () => undefined);
  }

  next(): Promise<S> {
    return eventually("a response", () => this.#messages.shift());
  }

  get pending(): number {
    return this.#messages.length;
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

const svids = (client: Client, header?: readonly string[]) =>
  new Fetch(client, "FetchX509SVID", (bytes) => X509SVIDResponse.decode(bytes), header);
const bundles = (client: Client) =>
  new Fetch(client, "FetchX509Bundles", (bytes) => X509BundlesResponse.decode(bytes));

test("an application gets its SVID with key and roots, and the next one when it is renewed", async () => {
  await using api = await start({}, "reviews");
  const stream = svids(api.client);
  const first = await stream.next();
  assert.equal(first.svids.length, 1);
  const [svid] = first.svids;
  const leaf = new X509Certificate(Buffer.from(svid?.x509Svid ?? []));
  assert.equal(svid?.spiffeId, REVIEWS);
  assert.equal(leaf.subjectAltName, `URI:${REVIEWS}`);
  assert.ok(
    leaf.checkPrivateKey(
      createPrivateKey({ key: Buffer.from(svid.x509SvidKey), format: "der", type: "pkcs8" }),
    ),
  );
  assert.ok(leaf.verify(new X509Certificate(Buffer.from(svid.bundle)).publicKey));
  assert.equal(stream.pending, 0);
  const renewed = await api.held.issue("reviews");
  const [second] = (await stream.next()).svids;
  assert.equal(
    new X509Certificate(Buffer.from(second?.x509Svid ?? [])).serialNumber.toLowerCase(),
    renewed?.serial,
  );
  stream.cancel();
});

test("the roots come by themselves, and again when they change", async () => {
  await using api = await start({}, "reviews");
  const stream = bundles(api.client);
  const first = (await stream.next()).bundles["spiffe://cluster.local"];
  const [root = ""] = api.held.bundle.current.roots;
  assert.equal(derToPem(Buffer.from(first ?? []), "CERTIFICATE"), root);
  const other = await HeldSvids.make();
  api.held.bundle.current = {
    ...api.held.bundle.current,
    roots: [root, ...other.bundle.current.roots],
    sequence: 2,
  };
  api.held.bundle.changes.notify({ roots: true });
  const both = (await stream.next()).bundles["spiffe://cluster.local"];
  assert.ok((both?.length ?? 0) > (first?.length ?? 0));
  stream.cancel();
});

test("a call without the required metadata is refused before anything else", async () => {
  await using api = await start({}, "reviews");
  for (const header of [[], ["false"], ["true", "true"], ["TRUE"], [""]]) {
    assert.equal(await svids(api.client, header).code, status.INVALID_ARGUMENT, JSON.stringify(header));
  }
});

test("a caller gets the identities that the rules give its user, and no other", async () => {
  await using api = await start(
    { rules: [rule("reviews", UID), rule("ratings", UID + 1)] },
    "reviews",
    "ratings",
  );
  const { svids: got } = await svids(api.client).next();
  assert.deepEqual(
    got.map(({ spiffeId }) => spiffeId),
    [REVIEWS],
  );
});

test("several identities that a caller may have come together", async () => {
  await using api = await start(
    { rules: [rule("reviews", UID), rule("ratings", UID)] },
    "reviews",
    "ratings",
  );
  const { svids: got } = await svids(api.client).next();
  assert.deepEqual(
    got.map(({ spiffeId }) => spiffeId),
    [RATINGS, REVIEWS],
  );
});

test("of two identities without rules nobody gets one, nor the roots", async () => {
  await using api = await start({}, "reviews", "ratings");
  assert.equal(await svids(api.client).code, status.PERMISSION_DENIED);
  assert.equal(await bundles(api.client).code, status.PERMISSION_DENIED);
});

test("when callers cannot be told apart, the only identity is given and a second one ends it", async () => {
  await using api = await start({ identify: async () => undefined }, "reviews");
  const stream = svids(api.client);
  await stream.next();
  await api.held.issue("ratings");
  assert.equal(await stream.code, status.PERMISSION_DENIED);
});

test("an identity that leaves the host ends the streams of who had it", async () => {
  await using api = await start({}, "reviews");
  const stream = svids(api.client);
  await stream.next();
  api.held.remove("reviews");
  assert.equal(await stream.code, status.PERMISSION_DENIED);
});

test("an identity without a valid certificate is waited for", async () => {
  await using api = await start();
  await api.held.issue("reviews", 0);
  assert.equal(await svids(api.client).code, status.UNAVAILABLE);
  await api.held.issue("reviews");
  assert.equal((await svids(api.client).next()).svids[0]?.spiffeId, REVIEWS);
});

test("a socket that a killed agent left is taken over, one that is served is not", async () => {
  await using api = await start({}, "reviews");
  const again = { ...optionsOf(api.held), socketPath: api.socketPath };
  await assert.rejects(runWorkloadApi(again, new AbortController().signal), { code: "agent.state" });
  assert.equal((await stat(api.socketPath)).mode & 0o777, 0o600);
  assert.equal((await svids(api.client).next()).svids.length, 1);

  const left = join(dirname(api.socketPath), "left.sock");
  const killed = spawn(process.execPath, [
    "-e",
    `require("node:net").createServer().listen(${JSON.stringify(left)})`,
  ]);
  await eventually("its socket", () => stat(left).catch(() => undefined));
  const gone = once(killed, "exit");
  killed.kill("SIGKILL");
  await gone;
  const abort = new AbortController();
  const running = runWorkloadApi({ ...optionsOf(api.held), socketPath: left }, abort.signal);
  const client = new Client(`unix:${left}`, credentials.createInsecure());
  await eventually("its mode", async () => ((await stat(left)).mode & 0o777) === 0o600);
  assert.equal((await svids(client).next()).svids.length, 1);
  client.close();
  abort.abort();
  await running;
});

test("the kernel says which user is at the other end", {
  skip: UID !== 0 && "only root can become another user",
  timeout: 20_000,
}, async () => {
  // Neither the temporary folder nor the clone with this Node need be open to other users: /var/tmp and perl are.
  const folder = await mkdtemp("/var/tmp/lateen-caller-");
  await chmod(folder, 0o755);
  const path = join(folder, "caller.sock");
  const server = createServer().listen(path);
  await once(server, "listening");
  await chmod(path, 0o666);
  const script = "$socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; <$socket>";
  try {
    for (const uid of [0, NOBODY]) {
      const connected = once(server, "connection");
      const child = spawn("perl", ["-MIO::Socket::UNIX", "-e", script, path], { uid, stdio: "inherit" });
      const [socket] = await connected;
      assert.equal((await identifyCaller(socket))?.uid, uid);
      const gone = once(child, "exit");
      socket.end("bye");
      await gone;
    }
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("the secrets come by SDS as well, by SPIRE's names, in both forms, and again after a renewal", async () => {
  await using api = await start({}, "reviews");
  const names = ["default", "ROOTCA", REVIEWS, "spiffe://cluster.local", RATINGS, "nonsense"];
  const taken = ["ROOTCA", "default", "spiffe://cluster.local", REVIEWS];
  const { streamSecrets, deltaSecrets } = secretDiscoveryService;
  const whole = api.client.makeBidiStreamRequest(
    streamSecrets.path,
    (request: DiscoveryRequest) => Buffer.from(DiscoveryRequest.encode(request).finish()),
    (bytes: Buffer) => streamSecrets.responseDeserialize(bytes),
  );
  const steps = api.client.makeBidiStreamRequest(
    deltaSecrets.path,
    (request: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(request).finish()),
    (bytes: Buffer) => deltaSecrets.responseDeserialize(bytes),
  );
  const got: string[][] = [];
  const nonces = { whole: "", steps: "" };
  whole.on("error", () => undefined);
  steps.on("error", () => undefined);
  whole.on("data", (response: { nonce: string; resources: readonly { value: Uint8Array }[] }) => {
    nonces.whole = response.nonce;
    got.push(response.resources.map(({ value }) => Secret.decode(value).name).sort());
  });
  steps.on("data", (response: { nonce: string; resources: readonly { name: string }[] }) => {
    nonces.steps = response.nonce;
    got.push(response.resources.map(({ name }) => name).sort());
  });
  const typeUrl = TYPE_URL.secret;
  whole.write(DiscoveryRequest.fromPartial({ typeUrl, resourceNames: names }));
  steps.write(DeltaDiscoveryRequest.fromPartial({ typeUrl, resourceNamesSubscribe: names }));
  await eventually("both", () => got.length === 2);
  assert.deepEqual(
    got,
    [taken, taken].map((list) => [...list].sort()),
  );
  whole.write(DiscoveryRequest.fromPartial({ typeUrl, resourceNames: names, responseNonce: nonces.whole }));
  steps.write(DeltaDiscoveryRequest.fromPartial({ typeUrl, responseNonce: nonces.steps }));
  await api.held.issue("reviews");
  await eventually("both again", () => got.length === 4);
  assert.deepEqual(
    got.slice(2).sort((a, b) => a.length - b.length),
    [["default", REVIEWS], [...taken].sort()],
  );
  whole.cancel();
  steps.cancel();
});

test("Envoy as an SDS client serves TLS with the application's SVID, and with the next one", {
  skip: skipWithout("envoy"),
}, async () => {
  await using api = await start({ rules: [rule("reviews", UID)] }, "reviews", "ratings");
  const port = 21_443;
  const sdsConfig = {
    resourceApiVersion: "V3",
    apiConfigSource: {
      apiType: "GRPC",
      transportApiVersion: "V3",
      grpcServices: [{ envoyGrpc: { clusterName: "workload-api" } }],
    },
  };
  await using envoy = await EnvoyProcess.start((path) => ({
    node: { id: "app", cluster: "app" },
    admin: { address: { pipe: { path } } },
    staticResources: {
      listeners: [
        {
          name: "tls",
          address: { socketAddress: { address: "127.0.0.1", portValue: port } },
          filterChains: [
            {
              transportSocket: {
                name: "tls",
                typedConfig: {
                  "@type":
                    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                  commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig }] },
                },
              },
              filters: [
                {
                  name: "tcp",
                  typedConfig: {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    statPrefix: "x",
                    cluster: "workload-api",
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "workload-api",
          type: "STATIC",
          typedExtensionProtocolOptions: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicitHttpConfig: { http2ProtocolOptions: {} },
            },
          },
          loadAssignment: {
            clusterName: "workload-api",
            endpoints: [{ lbEndpoints: [{ endpoint: { address: { pipe: { path: api.socketPath } } } }] }],
          },
        },
      ],
    },
  }));
  const shown = async (): Promise<X509Certificate | undefined> => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    try {
      await once(socket, "secureConnect");
      return socket.getPeerX509Certificate();
    } catch {
      return undefined;
    } finally {
      socket.destroy();
    }
  };
  assert.equal((await envoy.admin("/ready")).status, 200);
  const first = await eventually("a certificate", shown);
  assert.equal(first.subjectAltName, `URI:${REVIEWS}`);
  const renewed = await api.held.issue("reviews");
  await eventually(
    "the renewed one",
    async () => (await shown())?.serialNumber.toLowerCase() === renewed?.serial,
  );
});
