import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type JsonWebKey, verify, X509Certificate } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  describeSpiffeId,
  type SpiffeId,
  serverSpiffeId,
  workloadSpiffeId,
} from "../../mesh/identity/spiffe-id.ts";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { verifyPeerSvid } from "../../mesh/identity/verify-peer-svid.ts";
import { parseX509Svid } from "../../mesh/identity/x509-svid.ts";
import { ManualClock } from "../../test/fakes/manual-clock.ts";
import { type TestAuthorityOptions, testAuthority } from "../../test/harness/test-authority.ts";
import { newKey } from "../../test/harness/test-certificates.ts";
import type { CertificateRequest } from "./certificate-authority.ts";
import { DEFAULT_LIFETIMES, lifetimeFor } from "./lifetimes.ts";
import type { MeshAuthority } from "./mesh-authority.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = workloadSpiffeId(trustDomain, "default", "reviews");
const scratch = await mkdtemp(join(tmpdir(), "lateen-ca-"));
after(() => rm(scratch, { recursive: true, force: true }));

let directories = 0;
const freshDirectory = (): string => join(scratch, `ca-${directories++}`);
const open = (
  directory = freshDirectory(),
  options: Partial<TestAuthorityOptions> = {},
): Promise<MeshAuthority> => testAuthority({ directory, trustDomain, ...options });
/** Each has one for tokens beside it. */
const caKeys = async (directory: string): Promise<readonly string[]> =>
  (await readdir(join(directory, "ca"))).filter((name) => !name.endsWith(".jwt.key"));
/** Path of the one CA's key in an authority's folder. */
const keyPath = async (directory: string): Promise<string> =>
  join(directory, "ca", (await caKeys(directory))[0] ?? "");
const publicKey = (key = newKey()): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });
const request = (options: Partial<CertificateRequest> = {}): CertificateRequest => ({
  spiffeId: reviews,
  publicKeyDer: publicKey(),
  ...options,
});

test("the first start makes a root, private to its owner, and the second one reads it", async () => {
  const directory = freshDirectory();
  const first = await open(directory);
  assert.equal((await stat(await keyPath(directory))).mode & 0o777, 0o600);
  assert.equal((await stat(join(directory, "ca"))).mode & 0o777, 0o700);
  const root = new X509Certificate(first.bundle.roots[0] ?? "");
  assert.equal(root.ca, true);
  assert.equal(root.subjectAltName, "URI:spiffe://cluster.local");
  assert.equal(root.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  assert.ok(root.validToDate.getTime() - Date.now() > 9.9 * 365 * 86_400_000);
  assert.deepEqual((await open(directory)).bundle, first.bundle);
});

test("an SVID verifies against the root and names nothing but the identity", async () => {
  const ca = await open();
  const key = newKey();
  const issued = await ca.issue(request({ publicKeyDer: publicKey(key) }));
  const [leafPem = "", rootPem = ""] = issued.chain;
  const leaf = new X509Certificate(leafPem);
  const root = new X509Certificate(rootPem);
  assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey));
  assert.deepEqual(verifyPeerSvid(leaf.raw, trustDomain), { ok: true, spiffeId: reviews });
  assert.equal(leaf.subject, undefined);
  assert.equal(issued.notAfterMs - issued.notBeforeMs, 86_400_000 + 60_000);
  assert.equal(leaf.validToDate.getTime(), issued.notAfterMs);
  assert.match(issued.serial, /^[4-7][0-9a-f]{31}$/);
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  const svid = parseX509Svid({ chain: issued.chain, keyPem, trustDomain });
  assert.equal(svid.serial, issued.serial);
});

test("a server's certificate has its names and addresses beside the SPIFFE ID", async () => {
  const ca = await open();
  const issued = await ca.issue(
    request({
      spiffeId: serverSpiffeId(trustDomain),
      dnsNames: ["mesh.example.org"],
      ipAddresses: ["10.1.2.3", "::1", "2001:db8::a:1", "::ffff:10.0.0.1"],
    }),
  );
  const leaf = new X509Certificate(issued.chain[0] ?? "");
  assert.equal(leaf.checkHost("mesh.example.org"), "mesh.example.org");
  for (const address of ["10.1.2.3", "::1", "2001:db8::a:1"]) assert.equal(leaf.checkIP(address), address);
  assert.equal(leaf.checkIP("10.1.2.4"), undefined);
});

test("an address that is none is refused", async () => {
  const ca = await open();
  for (const address of ["300.1.1.1", "example.org", "fe80::1%eth0", ""]) {
    await assert.rejects(ca.issue(request({ ipAddresses: [address] })), { code: "ca.refused" });
  }
});

test("what would not pass the peers' check does not get out", async () => {
  const ca = await open();
  for (const spiffeId of ["spiffe://other/ns/a/sa/b", "spiffe://cluster.local/%61", ""]) {
    await assert.rejects(ca.issue(request({ spiffeId: spiffeId as SpiffeId })), { code: "ca.self-check" });
  }
  const stranger = generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "der" });
  const issued = ca.issue(request({ publicKeyDer: stranger.subarray(0, 20) }));
  await assert.rejects(issued, { code: "ca.self-check" });
});

test("a folder or a key that others may read is refused, with the command that helps", async () => {
  const directory = freshDirectory();
  await open(directory);
  for (const [path, mode, right] of [
    [await keyPath(directory), 0o640, "chmod 600"],
    [join(directory, "ca"), 0o750, "chmod 700"],
  ] as const) {
    await chmod(path, mode);
    await assert.rejects(open(directory), (error: { code?: string; hint?: string }) => {
      assert.equal(error.code, "config.invalid");
      assert.ok(error.hint?.startsWith(right), error.hint);
      return true;
    });
    await chmod(path, mode === 0o750 ? 0o700 : 0o600);
  }
  await open(directory);
});

test("a key that is another one, is damaged or is missing is refused", async () => {
  const directory = freshDirectory();
  await open(directory);
  const path = await keyPath(directory);
  const other = newKey().export({ type: "pkcs8", format: "pem" }).toString();
  await writeFile(path, other, { mode: 0o600 });
  await assert.rejects(open(directory), { code: "config.invalid", message: /key is not the certificate's/ });
  await writeFile(path, "rubbish", { mode: 0o600 });
  await assert.rejects(open(directory), { code: "config.invalid", message: /no private key/ });
  await rm(path);
  await assert.rejects(open(directory), { code: "config.invalid", message: /is missing/ });
});

test("the key of tokens survives a restart, is made where there is none, and signs what its public half verifies", async () => {
  const directory = freshDirectory();
  const first = await open(directory);
  const again = await open(directory);
  assert.equal(again.bundle.jwtKeys, first.bundle.jwtKeys);
  const [jwk] = (JSON.parse(again.bundle.jwtKeys) as { keys: JsonWebKey[] }).keys;
  const [head = "", body = "", tail = ""] = again
    .issueJwt({ spiffeId: reviews, audiences: ["x"] })
    .token.split(".");
  const key = { key: createPublicKey({ key: jwk ?? {}, format: "jwk" }), dsaEncoding: "ieee-p1363" } as const;
  assert.ok(verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(tail, "base64url")));
  const name = (await readdir(join(directory, "ca"))).find((one) => one.endsWith(".jwt.key")) ?? "";
  assert.equal((await stat(join(directory, "ca", name))).mode & 0o777, 0o600);
  await rm(join(directory, "ca", name));
  assert.notEqual((await open(directory)).bundle.jwtKeys, first.bundle.jwtKeys);
});

test("keys that the database does not know are not replaced by a new CA in silence", async () => {
  const directory = freshDirectory();
  await open(directory);
  await rm(join(directory, "ca.db"));
  await assert.rejects(open(directory), { code: "config.invalid", message: /does not know/ });
});

test("a first start that was cut short before the database knew of the key is made again", async () => {
  const directory = freshDirectory();
  await mkdir(join(directory, "ca"), { recursive: true, mode: 0o700 });
  await writeFile(join(directory, "ca", "aa.key.new"), "half", { mode: 0o600 });
  assert.equal((await open(directory)).bundle.roots.length, 1);
  assert.equal((await caKeys(directory)).length, 1);
});

test("with a passphrase no plain key is on disk, one from before is sealed, and another passphrase opens nothing", async () => {
  const directory = freshDirectory();
  const { bundle } = await open(directory);
  const path = await keyPath(directory);
  assert.match(await readFile(path, "utf8"), /PRIVATE KEY/);
  assert.deepEqual((await open(directory, { passphrase: "öpen sesame" })).bundle, bundle);
  for (const name of await readdir(join(directory, "ca")))
    assert.doesNotMatch(await readFile(join(directory, "ca", name), "utf8"), /PRIVATE KEY/, name);
  assert.deepEqual((await open(directory, { passphrase: "öpen sesame" })).bundle, bundle);
  await assert.rejects(open(directory, { passphrase: "other" }), {
    code: "config.invalid",
    message: /another/,
  });
  await assert.rejects(open(directory), { code: "config.invalid", message: /sealed under a passphrase/ });
  const sealed = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...sealed, kdf: { ...sealed.kdf, N: 2 } }), { mode: 0o600 });
  await assert.rejects(open(directory, { passphrase: "öpen sesame" }), { code: "config.invalid" });
});

test("wishes for a lifetime are held within the bounds", () => {
  const subject = describeSpiffeId(reviews);
  const day = 86_400_000;
  for (const [wish, got] of [
    [undefined, day],
    [0, day],
    [-5, day],
    [Number.NaN, day],
    [1000, 300_000],
    [3_600_000, 3_600_000],
    [30 * day, 7 * day],
  ] as const) {
    assert.equal(lifetimeFor(subject, wish, DEFAULT_LIFETIMES), got);
  }
  assert.equal(lifetimeFor(subject, 1, { ...DEFAULT_LIFETIMES, workloadMs: 2000 }), 2000);
  assert.equal(lifetimeFor(describeSpiffeId(serverSpiffeId("td")), undefined, DEFAULT_LIFETIMES), day);
});

test("no leaf outlives its root, and an expired root issues nothing", async () => {
  const clock = new ManualClock();
  const ca = await open(freshDirectory(), { clock });
  const rootEnd = new X509Certificate(ca.bundle.roots[0] ?? "").validToDate.getTime();
  clock.advance(rootEnd - clock.now() - 3_600_000);
  assert.equal((await ca.issue(request())).notAfterMs, rootEnd);
  clock.advance(3_600_001);
  await assert.rejects(ca.issue(request()), { code: "ca.unavailable" });
});

const openssl = spawnSync("openssl", ["version"]).status === 0;

test("OpenSSL agrees with the chain", { skip: !openssl && "no openssl here" }, async () => {
  const ca = await open();
  const issued = await ca.issue(request());
  const rootPath = join(scratch, "root.pem");
  const leafPath = join(scratch, "leaf.pem");
  await writeFile(rootPath, issued.chain[1] ?? "");
  await writeFile(leafPath, issued.chain[0] ?? "");
  for (const purpose of ["sslserver", "sslclient"]) {
    const args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", rootPath, leafPath];
    const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
});
