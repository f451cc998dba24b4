import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { derToPem, joinPemChain } from "../../mesh/identity/pem.ts";
import { type SpiffeId, workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain, type TrustDomain } from "../../mesh/identity/trust-domain.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import { shakeHands, type TlsEnd } from "../../test/harness/tls-handshake.ts";
import { openDatabase } from "../store/database.ts";
import type { CaSource } from "./ca-source.ts";
import { signLeaf } from "./certificate-template.ts";
import { openIssuer } from "./issuer.ts";
import { MeshAuthority } from "./mesh-authority.ts";
import { randomSerial } from "./serial.ts";

export interface SourceSubject {
  readonly source: CaSource;
  /** Makes the next CA be another one, where that is somebody else's work. */
  readonly replace?: () => Promise<void>;
  /** Takes away what is behind the source. */
  readonly breakIt?: () => Promise<void>;
}

export interface SourceContractOptions {
  /** Why it cannot be tested here. */
  readonly skip?: string | false;
  /** Whether its CAs are bound to the trust domain by a name constraint. */
  readonly constrained: boolean;
}

const trustDomain = parseTrustDomain("cluster.local");

/** What every source of CAs promises, with real handshakes. `open` is called once for each test. */
export function testCaSource(
  name: string,
  { skip = false, constrained }: SourceContractOptions,
  open: (t: TestContext, trustDomain: TrustDomain) => Promise<SourceSubject>,
): void {
  test(`${name}: its CA signs leaves that peers accept with its root alone`, { skip }, async (t) => {
    const authority = await openAuthority(t, (await open(t, trustDomain)).source);
    const ends = [await leaf(authority), await leaf(authority)] as const;
    assert.equal(await shakeHands(...ends), "ok");
    const { roots } = authority.bundle;
    for (const root of roots) assert.ok(new X509Certificate(root).ca);
  });

  test(`${name}: from one CA to the next, leaves of both are accepted`, { skip }, async (t) => {
    const { source, replace } = await open(t, trustDomain);
    const authority = await openAuthority(t, source);
    const first = await leaf(authority);
    if (!source.makesKeys) {
      await assert.rejects(authority.prepare(false, t.signal), { code: "ca.rotation", message: /in use/ });
    }
    await replace?.();
    await authority.prepare(false, t.signal);
    const between = await leaf(authority);
    await authority.step("activate");
    const second = await leaf(authority);
    const told = { ...first, bundle: authority.bundle };
    for (const [server, client] of [
      [told, second],
      [second, told],
      [between, second],
      [second, second],
    ] as const) {
      assert.equal(await shakeHands(server, client), "ok");
    }
    assert.notEqual(authority.authorities[0]?.id, authority.authorities[1]?.id);
  });

  test(`${name}: no leaf of another trust domain is accepted under its CA`, {
    skip: skip || (!constrained && "it is the root itself"),
  }, async (t) => {
    const ca = await (await open(t, trustDomain)).source.next(t.signal);
    const issuer = openIssuer(ca, createPrivateKey(ca.keyPem), trustDomain);
    const path = [ca.certificate, ...ca.intermediates];
    const end = (spiffeId: string): TlsEnd => {
      const key = newKey();
      const bytes = signLeaf(
        issuer.fields,
        {
          serial: randomSerial(),
          spiffeId: spiffeId as SpiffeId,
          publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
          notBeforeMs: Date.now() - 1000,
          notAfterMs: Date.now() + 60_000,
          dnsNames: [],
          ipAddresses: [],
        },
        issuer.sign,
      );
      return {
        chainPem: joinPemChain([derToPem(bytes, "CERTIFICATE"), ...path]),
        keyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
        bundle: { roots: ca.roots, trustDomain },
      };
    };
    const own = end("spiffe://cluster.local/ns/a/sa/b");
    assert.equal(await shakeHands(own, own), "ok");
    const foreign = end("spiffe://other.org/ns/a/sa/b");
    // Node's server says nothing of the reason, its client does.
    assert.match(await shakeHands(own, foreign), /^server: socket hang up/);
    assert.match(await shakeHands(foreign, own), /client: permitted subtree violation/);
  });

  test(`${name}: when what is behind it is gone, leaves are signed all the same, and the next CA fails with a reason`, {
    skip,
  }, async (t) => {
    const { source, breakIt } = await open(t, trustDomain);
    if (breakIt === undefined) return;
    const authority = await openAuthority(t, source);
    await breakIt();
    const end = await leaf(authority);
    assert.equal(await shakeHands(end, end), "ok");
    await assert.rejects(authority.prepare(false, t.signal), (error: { code?: string; hint?: string }) => {
      assert.match(error.code ?? "", /^(ca\.unavailable|config\.invalid)$/);
      return true;
    });
    assert.deepEqual(
      authority.authorities.map(({ state }) => state),
      ["active"],
    );
  });
}

async function openAuthority(t: TestContext, source: CaSource): Promise<MeshAuthority> {
  const directory = await mkdtemp(join(tmpdir(), "lateen-source-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return await MeshAuthority.open({
    directory: join(directory, "ca"),
    database: openDatabase(":memory:"),
    trustDomain,
    source,
    clock: systemClock,
    signal: t.signal,
  });
}

async function leaf(authority: MeshAuthority): Promise<TlsEnd> {
  const key = newKey();
  const { chain } = await authority.issue({
    spiffeId: workloadSpiffeId(trustDomain, "default", "reviews"),
    publicKeyDer: createPublicKey(key).export({ type: "spki", format: "der" }),
  });
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  return { chainPem: joinPemChain(chain), keyPem, bundle: authority.bundle };
}
