import assert from "node:assert/strict";
import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  JWTBundlesRequest,
  JWTBundlesResponse,
  JWTSVIDRequest,
  JWTSVIDResponse,
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponse,
} from "../../mesh/xds/gen/spiffe/workload/workload.ts";
import { caStep, ROTATING_MESH } from "../harness/ca-walk.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { describeMesh } from "../harness/mesh-suite.ts";

const HOSTS = [
  { name: "shop-1", service: "shop" },
  { name: "bank-1", service: "bank" },
] as const;
const SHOP = "spiffe://e2e.local/ns/default/sa/shop";
const { rotation } = ROTATING_MESH;

// Data planes have no part in it.
describeMesh("JWT-SVIDs", { hosts: HOSTS, rotation, dataPlanes: ["builtin"] }, (mesh) => {
  test("an application gets a token that others verify by the mesh's keys, and by their own agent", async () => {
    using shop = apiOf(mesh(), "shop-1");
    using bank = apiOf(mesh(), "bank-1");
    const [svid, ...more] = await shop.fetch(["bank", "mint"]);
    assert.deepEqual(more, []);
    assert.equal(svid?.spiffeId, SHOP);
    const { header, claims, isSignedBy } = read(svid.svid);
    assert.deepEqual([header["alg"], header["typ"]], ["ES256", "JWT"]);
    assert.deepEqual([claims["sub"], claims["aud"]], [SHOP, ["bank", "mint"]]);
    assert.equal(Number(claims["exp"]) - Number(claims["iat"]), 300);
    const bundle = await bank.bundle();
    const key = bundle.find(({ kid }) => kid === header["kid"]);
    assert.ok(key !== undefined && isSignedBy(key));
    assert.equal(key["d"], undefined);

    const told = await bank.validate(svid.svid, "bank");
    assert.equal(told.spiffeId, SHOP);
    assert.deepEqual(told.claims, claims);
    for (const [token, audience] of [
      [svid.svid, "shop"],
      [`${svid.svid.slice(0, -4)}AAAA`, "bank"],
      [svid.svid.split(".").slice(0, 2).join("."), "bank"],
      ["", "bank"],
    ] as const)
      assert.equal(await codeOf(bank.validate(token, audience)), status.INVALID_ARGUMENT);
  });

  test("nobody gets a token of another's identity, for no audience, or without the header", async () => {
    using shop = apiOf(mesh(), "shop-1");
    for (const other of [
      "spiffe://e2e.local/ns/default/sa/bank",
      "spiffe://e2e.local/lateen/server",
      `${SHOP}/`,
      "x",
    ])
      assert.equal(await codeOf(shop.fetch(["bank"], other)), status.PERMISSION_DENIED, other);
    for (const audience of [[], [""], ["x".repeat(600)], Array.from({ length: 17 }, (_, i) => `a${i}`)])
      assert.equal(await codeOf(shop.fetch(audience)), status.INVALID_ARGUMENT);
    assert.equal(await codeOf(shop.fetch(["bank"], SHOP, [])), status.INVALID_ARGUMENT);
    assert.equal(await codeOf(shop.validate("x", "bank", [])), status.INVALID_ARGUMENT);
    assert.equal((await shop.fetch(["bank"], SHOP))[0]?.spiffeId, SHOP);
  });

  test("with the server away tokens that are held go on, are verified, and new ones have to wait", async () => {
    using shop = apiOf(mesh(), "shop-1");
    using bank = apiOf(mesh(), "bank-1");
    const [held] = await shop.fetch(["offline"]);
    await mesh().server.stop();
    try {
      assert.deepEqual((await shop.fetch(["offline"]))[0]?.svid, held?.svid);
      assert.equal((await bank.validate(held?.svid ?? "", "offline")).spiffeId, SHOP);
      assert.equal((await bank.bundle()).length, 1);
      assert.equal(await codeOf(shop.fetch(["another"])), status.UNAVAILABLE);
    } finally {
      await mesh().server.start();
    }
    await eventually("a new one", async () => (await codeOf(shop.fetch(["another"]))) === status.OK, 15_000);
  });

  test("an identity that is banned gets no token", async () => {
    using shop = apiOf(mesh(), "shop-1");
    assert.equal((await mesh().cli(["ban", "identity", SHOP])).code, 0);
    assert.equal(await codeOf(shop.fetch(["ban"])), status.PERMISSION_DENIED);
    assert.equal((await mesh().cli(["unban", "identity", SHOP])).code, 0);
    await eventually("a token", async () => (await codeOf(shop.fetch(["ban"]))) === status.OK, 15_000);
  });

  test("the keys come and go with the CA's, and no token that is in force is refused on the way", async () => {
    using shop = apiOf(mesh(), "shop-1");
    using bank = apiOf(mesh(), "bank-1");
    const followed = bank.follow();
    await eventually("the first keys", () => followed.bundles.length > 0);
    const kidOf = (token: string): unknown => read(token).header["kid"];
    const tokenFor = async (audience: string): Promise<string> =>
      (await shop.fetch([audience]))[0]?.svid ?? "";
    const old = await tokenFor("before");
    const isGood = async (token: string, audience: string): Promise<boolean> =>
      (await codeOf(bank.validate(token, audience))) === status.OK;
    for (const step of ["prepare", "activate", "taint"] as const) {
      await caStep(mesh(), step);
      const fresh = await tokenFor(step);
      assert.equal(kidOf(fresh) === kidOf(old), step === "prepare", step);
      assert.ok(await isGood(fresh, step), step);
      assert.ok(await isGood(old, "before"), step);
    }
    await caStep(mesh(), "revoke");
    await eventually("the old key's token is refused", async () => !(await isGood(old, "before")));
    await eventually("the stream told it", () =>
      followed.bundles.at(-1)?.every(({ kid }) => kid !== kidOf(old)),
    );
    const sizes = followed.bundles.map(({ length }) => length);
    assert.deepEqual([sizes[0], Math.max(...sizes), sizes.at(-1)], [1, 2, 1]);
    followed.cancel();
  });
});

interface WorkloadApi extends Disposable {
  fetch(
    audience: readonly string[],
    spiffeId?: string,
    header?: readonly string[],
  ): Promise<JWTSVIDResponse["svids"]>;
  validate(svid: string, audience: string, header?: readonly string[]): Promise<ValidateJWTSVIDResponse>;
  /** The trust domain's keys. */
  bundle(): Promise<readonly JsonWebKey[]>;
  follow(): { readonly bundles: (readonly JsonWebKey[])[]; cancel(): void };
}

/** The Workload API on a host's socket, as a client of the specification calls it. */
function apiOf(mesh: Mesh, host: string): WorkloadApi {
  const client = new Client(
    `unix:${join(mesh.host(host).runDir, "workload.sock")}`,
    credentials.createInsecure(),
    {
      "grpc.use_local_subchannel_pool": 1,
    },
  );
  const unary = <S>(
    method: string,
    request: Uint8Array,
    decode: (bytes: Buffer) => S,
    header: readonly string[],
  ) =>
    new Promise<S>((resolve, reject) => {
      client.makeUnaryRequest<Uint8Array, S>(
        `/SpiffeWorkloadAPI/${method}`,
        (bytes) => Buffer.from(bytes),
        decode,
        request,
        metadataOf(header),
        { deadline: Date.now() + 10_000 },
        (error, response) => (response === undefined ? reject(error) : resolve(response)),
      );
    });
  const follow = (): ReturnType<WorkloadApi["follow"]> => {
    const bundles: (readonly JsonWebKey[])[] = [];
    const stream: ClientReadableStream<JWTBundlesResponse> = client.makeServerStreamRequest(
      "/SpiffeWorkloadAPI/FetchJWTBundles",
      () => Buffer.from(JWTBundlesRequest.encode({}).finish()),
      (bytes: Buffer) => JWTBundlesResponse.decode(bytes),
      {},
      metadataOf(["true"]),
    );
    stream.on("error", () => {});
    stream.on("data", ({ bundles: told }: JWTBundlesResponse) => {
      const text = Buffer.from(told["spiffe://e2e.local"] ?? []).toString();
      bundles.push((JSON.parse(text) as { keys: JsonWebKey[] }).keys);
    });
    return { bundles, cancel: () => stream.cancel() };
  };
  return {
    fetch: async (audience, spiffeId = "", header = ["true"]) => {
      const request = JWTSVIDRequest.encode({ audience: [...audience], spiffeId }).finish();
      return (await unary("FetchJWTSVID", request, (bytes) => JWTSVIDResponse.decode(bytes), header)).svids;
    },
    validate: async (svid, audience, header = ["true"]) => {
      const request = ValidateJWTSVIDRequest.encode({ svid, audience }).finish();
      return unary("ValidateJWTSVID", request, (bytes) => ValidateJWTSVIDResponse.decode(bytes), header);
    },
    follow,
    bundle: async () => {
      const followed = follow();
      const keys = await eventually("the keys", () => followed.bundles[0]);
      followed.cancel();
      return keys;
    },
    [Symbol.dispose]: () => client.close(),
  };
}

function metadataOf(header: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const value of header) metadata.add("workload.spiffe.io", value);
  return metadata;
}

async function codeOf(call: Promise<unknown>): Promise<status> {
  return await call.then(
    () => status.OK,
    (error: ServiceError) => error.code,
  );
}

/** Of a token, by nothing of ours. */
function read(token: string): {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly isSignedBy: (jwk: JsonWebKey) => boolean;
} {
  const [head = "", body = "", tail = ""] = token.split(".");
  const parse = (part: string) =>
    JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  return {
    header: parse(head),
    claims: parse(body),
    isSignedBy: (jwk) => {
      const key = createPublicKey({ key: jwk, format: "jwk" });
      const signature = Buffer.from(tail, "base64url");
      return verify("sha256", Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, signature);
    },
  };
}
