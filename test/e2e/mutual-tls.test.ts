import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { issuerFields, signLeaf } from "../../controlplane/ca/certificate-template.ts";
import { randomSerial } from "../../controlplane/ca/serial.ts";
import { signatureAlgorithmOf } from "../../controlplane/ca/signature-algorithm.ts";
import { readCertificateFacts } from "../../mesh/identity/certificate-facts.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import type { SpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { eventually } from "../harness/eventually.ts";
import type { Mesh } from "../harness/mesh.ts";
import { type TcpReply, type TlsCaller, tcpCall, tlsCall } from "../harness/mesh-calls.ts";
import { destinationRule, peerAuthentication } from "../harness/mesh-policies.ts";
import { describeMesh } from "../harness/mesh-suite.ts";
import { HTTP_PORT, TCP_PORT } from "../harness/mesh-topology.ts";
import { mintRoot, mintSvid, newKey, type TestCertificate } from "../harness/test-certificates.ts";

const HEADER = "x-forwarded-client-cert";

const HOSTS = [
  { name: "caller", service: "caller", upstreams: ["reviews", "store:9090"] },
  { name: "reviews-v1", service: "reviews", version: "v1" },
  { name: "store-v1", service: "store", protocol: "tcp" },
] as const;

describeMesh("mutual TLS", { hosts: HOSTS }, (mesh) => {
  test("both ends of a call know who the other one is", async () => {
    const reply = await mesh().call("caller", "reviews", "/who");
    assert.equal(reply.status, 200, reply.failure);
    assert.equal(reply.echo?.app, "reviews-v1");
    const told = String(reply.echo.headers[HEADER]);
    assert.match(told, new RegExp(`^By=${mesh().spiffeId("reviews-v1")};Hash=[0-9a-f]{64};`));
    assert.deepEqual(told.split(";").at(-1), `URI=${mesh().spiffeId("caller")}`);
  });

  test("what a caller says of its own certificate does not reach the application", async () => {
    const lie = `By=spiffe://x/ns/a/sa/b;URI=${mesh().spiffeId("store-v1")}`;
    const inMesh = await mesh().call("caller", "reviews", "/", { headers: { [HEADER]: lie } });
    assert.equal(inMesh.status, 200);
    assert.doesNotMatch(String(inMesh.echo?.headers[HEADER]), /store|spiffe:\/\/x/);
    assert.match(String(inMesh.echo?.headers[HEADER]), new RegExp(`URI=${mesh().spiffeId("caller")}$`));
    const outside = await mesh().plaintext("reviews-v1", "/", { headers: { [HEADER]: lie } });
    assert.equal(outside.status, 200);
    assert.equal(outside.echo?.headers[HEADER], undefined);
  });

  test("PERMISSIVE lets plaintext in, STRICT refuses it, DISABLE speaks nothing else", async () => {
    const { address } = mesh().host("reviews-v1").spec;
    assert.equal((await mesh().plaintext("reviews-v1")).status, 200);
    assert.equal((await plaintextTcp(mesh())).app, "store-v1");

    await mesh().apply(peerAuthentication("STRICT"));
    await eventually("plaintext refused", async () => (await mesh().plaintext("reviews-v1")).status === 0);
    await eventually("plaintext TCP refused", async () => (await plaintextTcp(mesh())).app === undefined);
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
    assert.equal((await mesh().tcpCall("caller", "store:9090")).app, "store-v1");

    await mesh().apply(peerAuthentication("DISABLE"));
    await eventually("plaintext again", async () => (await mesh().plaintext("reviews-v1")).status === 200);
    const disabled = await eventually("a call without TLS", async () => {
      const reply = await mesh().call("caller", "reviews");
      return reply.status === 200 && reply.echo?.headers[HEADER] === undefined && reply;
    });
    assert.equal(disabled.echo?.app, "reviews-v1");
    await eventually(
      "TCP without TLS",
      async () => (await mesh().tcpCall("caller", "store:9090")).app === "store-v1",
    );
    const tls = await tlsCall(address, HTTP_PORT, await mesh().host("caller").svid());
    assert.equal(tls.status, 0);
  });

  test("only a workload of this mesh is let in over TLS", async () => {
    const { address } = mesh().host("reviews-v1").spec;
    const callers = await strangers(mesh());
    for (const mode of ["PERMISSIVE", "STRICT"] as const) {
      await mesh().apply(peerAuthentication(mode));
      const welcome = await eventually(`a workload let in under ${mode}`, async () => {
        const reply = await tlsCall(address, HTTP_PORT, await mesh().host("caller").svid());
        return reply.status === 200 && reply;
      });
      assert.match(welcome.body, new RegExp(`URI=${mesh().spiffeId("caller")}"`));
      assert.equal(welcome.serverNames, `URI:${mesh().spiffeId("reviews-v1")}`);
      const taken = mesh().host("reviews-v1").app.taken();
      for (const [who, caller] of Object.entries(callers)) {
        const reply = await tlsCall(address, HTTP_PORT, caller);
        assert.equal(reply.status, 0, `${who} was answered under ${mode}: ${reply.body}`);
        assert.notEqual(reply.failure, "no answer in time", `${who} was left hanging under ${mode}`);
      }
      assert.equal(mesh().host("reviews-v1").app.taken(), taken);
    }
  });

  test("a caller refuses a server that is not who it has to be", async () => {
    assert.equal((await mesh().call("caller", "reviews")).status, 200);
    const subjectAltNames = [mesh().spiffeId("store-v1")];
    await mesh().apply(
      destinationRule("reviews", { trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", subjectAltNames } } }),
    );
    const taken = mesh().host("reviews-v1").app.taken();
    const refused = await eventually("the wrong server refused", async () => {
      const reply = await mesh().call("caller", "reviews", "/secret");
      return reply.status === 503 && reply;
    });
    assert.equal(refused.echo, undefined);
    const after = await mesh().call("caller", "reviews", "/secret");
    assert.equal(after.status, 503);
    assert.ok(mesh().host("reviews-v1").app.taken() - taken <= 1, "the application saw refused calls");
    await mesh().deleteAll();
    await eventually(
      "the right server again",
      async () => (await mesh().call("caller", "reviews")).status === 200,
    );
  });
});

/** Plain TCP from outside the mesh to the store. */
async function plaintextTcp(mesh: Mesh): Promise<TcpReply> {
  return tcpCall(mesh.host("store-v1").spec.address, TCP_PORT);
}

/** Everybody who has no business here, with the best certificate that they can have. */
async function strangers(mesh: Mesh): Promise<Readonly<Record<string, TlsCaller>>> {
  const foreign = mintRoot("foreign root");
  const self = mesh.spiffeId("caller");
  return {
    "a peer without a certificate": {},
    "an agent": await mesh.host("caller").agentCertificate(),
    "a workload by a foreign CA": pair(mintSvid(foreign, self)),
    "a workload of another trust domain": pair(
      mintSvid(foreign, "spiffe://other.local/ns/default/sa/caller"),
    ),
    "a name of another trust domain by our CA": await fromOurCa(
      mesh,
      "spiffe://other.local/ns/default/sa/caller",
    ),
    "the server itself": await fromOurCa(mesh, `spiffe://${mesh.trustDomain}/lateen/server`),
  };
}

function pair({ pem, keyPem }: TestCertificate): TlsCaller {
  return { cert: pem, key: keyPem };
}

async function rootOf(mesh: Mesh): Promise<string> {
  const path = join(mesh.host("caller").stateDir, "identity", "bundle.json");
  const { roots } = JSON.parse(await readFile(path, "utf8")) as { readonly roots: readonly string[] };
  return roots[0] ?? "";
}

/** What the mesh's CA would never issue, signed with its very key. */
async function fromOurCa(mesh: Mesh, spiffeId: string): Promise<TlsCaller> {
  const folder = join(mesh.directory, "server", "ca");
  const [file = ""] = await readdir(folder);
  const rootKey = createPrivateKey(await readFile(join(folder, file)));
  const facts = readCertificateFacts(new X509Certificate(await rootOf(mesh)).raw);
  const key = newKey();
  const bytes = signLeaf(
    issuerFields(facts.subject, Buffer.from(file.replace(".key", ""), "hex"), signatureAlgorithmOf(rootKey)),
    {
      serial: randomSerial(),
      spiffeId: spiffeId as SpiffeId,
      publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 600_000,
      dnsNames: [],
      ipAddresses: [],
    },
    (tbs) => sign("sha256", tbs, rootKey),
  );
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  return { cert: derToPem(bytes, "CERTIFICATE"), key: keyPem };
}
