import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { parseTrustDomain } from "../../mesh/identity/trust-domain.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { SOFTHSM_FOLDER } from "../../setup/fetch-softhsm.ts";
import { FakeVault } from "../../test/fakes/fake-vault.ts";
import { CA_KEYS, type CaKey, intermediateCa, newCaKey, rootCa } from "../../test/harness/ca-certificates.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { requireTool, skipWithout } from "../../test/harness/tools.ts";
import { testCaSource } from "./ca-source.contract.ts";
import { cacertsSource } from "./cacerts-source.ts";
import { pkcs11Source } from "./pkcs11/pkcs11-source.ts";
import { selfSignedSource } from "./self-signed-source.ts";
import { vaultSource } from "./vault-source.ts";

const trustDomain = parseTrustDomain("cluster.local");

async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "lateen-ca-source-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const pkcs8 = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

testCaSource("self-signed", { constrained: false }, async (_t, domain) => ({
  source: selfSignedSource(domain, systemClock),
}));

/** Istio's file names: a root that stays the same, and a CA below it whose files are replaced. */
async function writeCacerts(directory: string, kind: CaKey, root: ReturnType<typeof rootCa>): Promise<void> {
  const key = newCaKey(kind);
  const certificate = intermediateCa(root, trustDomain, key).toString();
  await writeFile(join(directory, "ca-cert.pem"), certificate);
  await writeFile(join(directory, "ca-key.pem"), pkcs8(key));
  await writeFile(join(directory, "cert-chain.pem"), certificate + root.certificate.toString());
  await writeFile(join(directory, "root-cert.pem"), root.certificate.toString());
}

for (const kind of CA_KEYS) {
  testCaSource(`cacerts with ${kind}`, { constrained: true }, async (t) => {
    const directory = await scratch(t);
    const root = rootCa(trustDomain, newCaKey(kind));
    await writeCacerts(directory, kind, root);
    return {
      source: cacertsSource(directory, false),
      replace: () => writeCacerts(directory, kind, root),
      breakIt: () => rm(join(directory, "ca-key.pem")),
    };
  });
}

test("cacerts whose files do not belong together are refused, and so is a key of another kind", async (t) => {
  const directory = await scratch(t);
  const root = rootCa(trustDomain, newCaKey("P-256"));
  await writeCacerts(directory, "P-256", root);
  await writeFile(
    join(directory, "root-cert.pem"),
    rootCa(trustDomain, newCaKey("P-256")).certificate.toString(),
  );
  await assert.rejects(cacertsSource(directory, false).next(t.signal), {
    code: "config.invalid",
    message: /signed/,
  });
  await writeFile(join(directory, "root-cert.pem"), "rubbish");
  await assert.rejects(cacertsSource(directory, false).next(t.signal), { code: "config.invalid" });
});

const noSofthsm = skipWithout("softhsm2-util");

/** Beside the tool where it was fetched, in Debian's place where it was installed. */
function softhsmModule(): string {
  const beside = join(dirname(requireTool("softhsm2-util")), SOFTHSM_FOLDER, "libsofthsm2.so");
  return existsSync(beside) ? beside : "/usr/lib/softhsm/libsofthsm2.so";
}

const PIN = "1234";
const TOKEN = "lateen-test";

/**
 * A token with a root's key of each kind, which a person would have made there. SoftHSM looks for its configuration and
 * its tokens once in a process, so all tests share it.
 */
async function makeToken(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-softhsm-"));
  after(() => rm(folder, { recursive: true, force: true }));
  const configuration = join(folder, "softhsm2.conf");
  await writeFile(configuration, `directories.tokendir = ${folder}\nlog.level = ERROR\n`);
  process.env["SOFTHSM2_CONF"] = configuration;
  const util = (...args: readonly string[]): void => {
    execFileSync(requireTool("softhsm2-util"), ["--module", softhsmModule(), ...args], { stdio: "pipe" });
  };
  util("--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "12345678");
  for (const [index, kind] of CA_KEYS.entries()) {
    const file = join(folder, `${index}.pem`);
    await writeFile(file, pkcs8(newCaKey(kind)), { mode: 0o600 });
    util("--import", file, "--token", TOKEN, "--label", kind, "--id", `0${index + 1}`, "--pin", PIN);
  }
}
if (noSofthsm === false) await makeToken();

async function pkcs11Options(t: TestContext, keyLabel: string): Promise<Parameters<typeof pkcs11Source>[0]> {
  const folder = await scratch(t);
  const pinFile = join(folder, "pin");
  await writeFile(pinFile, `${PIN}\n`);
  const rootFile = join(folder, "root.pem");
  const module = softhsmModule();
  return { module, tokenLabel: TOKEN, keyLabel, pinFile, rootFile, trustDomain, clock: systemClock };
}

for (const kind of CA_KEYS) {
  testCaSource(`pkcs11 with ${kind}`, { constrained: true, skip: noSofthsm }, async (t) => {
    const options = await pkcs11Options(t, kind);
    return { source: pkcs11Source(options), breakIt: () => writeFile(options.pinFile, "4321") };
  });
}

test("pkcs11: a token, a key or a module that is not there is told by name", {
  skip: noSofthsm,
}, async (t) => {
  const good = await pkcs11Options(t, "P-256");
  await pkcs11Source(good).next(t.signal);
  const cases = [
    [{ tokenLabel: "other" }, "ca.unavailable", /token other/],
    [{ keyLabel: "other" }, "config.invalid", /labelled other/],
    [{ module: "/nowhere/none.so" }, "ca.unavailable", /none\.so/],
    [{ pinFile: "/nowhere/pin" }, "config.invalid", /PIN/],
  ] as const;
  for (const [over, code, message] of cases) {
    await assert.rejects(pkcs11Source({ ...good, ...over }).next(t.signal), { code, message });
  }
  await writeFile(good.rootFile, rootCa(trustDomain, newCaKey("P-256")).certificate.toString());
  await assert.rejects(pkcs11Source(good).next(t.signal), { code: "config.invalid", message: /not that of/ });
});

testCaSource("vault (fake)", { constrained: true }, async (t) => {
  const vault = await FakeVault.start(trustDomain);
  t.after(() => vault[Symbol.asyncDispose]());
  return {
    source: await sourceAt(t, vault.address, vault.token),
    breakIt: () => vault[Symbol.asyncDispose](),
  };
});

async function sourceAt(
  t: TestContext,
  address: string,
  token: string,
): Promise<ReturnType<typeof vaultSource>> {
  const tokenFile = join(await scratch(t), "token");
  await writeFile(tokenFile, `${token}\n`);
  return vaultSource({ address, tokenFile, mount: "pki", trustDomain, ownsRoots: true });
}

test("vault: what it refuses is told with its reason and without the token", async (t) => {
  await using vault = await FakeVault.start(trustDomain);
  const refused = (await sourceAt(t, vault.address, "hvs.wrong")).next(t.signal);
  await assert.rejects(refused, (error: Error & { code?: string }) => {
    assert.equal(error.code, "ca.unavailable");
    assert.match(error.message, /403 .*permission denied/s);
    assert.doesNotMatch(error.message, /hvs/);
    return true;
  });
  await (await sourceAt(t, vault.address, vault.token)).next(t.signal);
  assert.deepEqual(
    { ...vault.requests[0], csr: "" },
    { csr: "", use_csr_values: true, format: "pem", max_path_length: 0, ttl: "720h" },
  );
});

test("vault: a CA without a name constraint is not used", async (t) => {
  await using vault = await FakeVault.start(trustDomain);
  vault.ignoresExtensions = true;
  const next = (await sourceAt(t, vault.address, vault.token)).next(t.signal);
  await assert.rejects(next, { code: "config.invalid", message: /no name constraint/ });
});

testCaSource("vault (real)", { constrained: true, skip: skipWithout("vault") }, async (t) => {
  const address = "127.0.0.1:18200";
  const url = `http://${address}`;
  const server = spawn(
    requireTool("vault"),
    ["server", "-dev", "-dev-root-token-id=root", `-dev-listen-address=${address}`],
    { stdio: "ignore", env: { ...process.env, HOME: await scratch(t) } },
  );
  t.after(() => server.kill("SIGKILL"));
  const post = async (path: string, body: unknown): Promise<boolean> => {
    const headers = { "x-vault-token": "root" };
    const answer = await fetch(`${url}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return answer.ok;
  };
  const enable = { type: "pki", config: { max_lease_ttl: "87600h" } };
  await eventually("vault", () => post("sys/mounts/pki", enable).catch(() => false), 10_000);
  await post("pki/root/generate/internal", { common_name: "root", ttl: "87600h", key_type: "ec" });
  const source = await sourceAt(t, url, "root");
  return { source, breakIt: async () => void server.kill("SIGKILL") };
});
