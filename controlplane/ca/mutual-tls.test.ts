import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import { workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import { testAuthority } from "../../test/harness/test-authority.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

const trustDomain = parseTrustDomain("cluster.local");

test("two workloads shake hands with their SVIDs and read each other's identity", async () => {
  await using directory = await scratchDirectory();
  const ca = await testAuthority({ directory: directory.path, trustDomain });
  const peers = await handshake(
    await identity(ca, "reviews"),
    await identity(ca, "productpage"),
    ca.bundle.roots,
  );
  assert.deepEqual(peers, {
    client: { ok: true, spiffeId: workloadSpiffeId(trustDomain, "default", "productpage") },
    server: { ok: true, spiffeId: workloadSpiffeId(trustDomain, "default", "reviews") },
  });
});

test("an SVID of another authority of the same trust domain does not get through", async () => {
  await using one = await scratchDirectory();
  await using two = await scratchDirectory();
  const ca = await testAuthority({ directory: one.path, trustDomain });
  const stranger = await testAuthority({ directory: two.path, trustDomain });
  const shaken = handshake(
    await identity(ca, "reviews"),
    await identity(stranger, "reviews"),
    ca.bundle.roots,
  );
  await assert.rejects(shaken);
});

interface Identity {
  readonly cert: string;
  readonly key: string;
}

type Verdict = ReturnType<typeof verifyPeerSvid>;

async function identity(ca: CertificateAuthority, serviceAccount: string): Promise<Identity> {
  const key = newKey();
  const spiffeId = workloadSpiffeId(trustDomain, "default", serviceAccount);
  const publicKeyDer = createPublicKey(key).export({ type: "spki", format: "der" });
  const { chain } = await ca.issue({ spiffeId, publicKeyDer });
  return { cert: joinPemChain(chain), key: key.export({ type: "pkcs8", format: "pem" }).toString() };
}

async function handshake(
  serverSide: Identity,
  clientSide: Identity,
  roots: readonly string[],
): Promise<{ readonly client: Verdict; readonly server: Verdict }> {
  const options = { ca: [...roots], minVersion: "TLSv1.3" as const, rejectUnauthorized: true };
  const server = createServer({ ...serverSide, ...options, requestCert: true });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "secureConnection");
  const socket = connect({
    port,
    host: "127.0.0.1",
    ...clientSide,
    ...options,
    checkServerIdentity: () => undefined,
  });
  try {
    // TLS 1.3: the client is done before the server has judged its certificate, so it hears of a refusal while reading.
    await Promise.race([accepted, failure(socket)]);
    const [peer] = (await accepted) as [TLSSocket];
    return { client: verdict(peer), server: verdict(socket) };
  } finally {
    socket.destroy();
    server.close();
  }
}

async function failure(socket: TLSSocket): Promise<never> {
  const [error] = (await once(socket, "close").then(
    () => [new Error("closed")],
    (reason: unknown) => [reason],
  )) as [unknown];
  throw error;
}

function verdict(socket: TLSSocket): Verdict {
  return verifyPeerSvid(new X509Certificate(socket.getPeerCertificate().raw).raw, trustDomain);
}

async function scratchDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const base = await mkdtemp(join(tmpdir(), "lateen-mtls-"));
  return {
    path: base,
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}
