import { execFile, execFileSync } from "node:child_process";
import { randomUUID, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import type { AttestorSubject, MakeEvidence } from "../../controlplane/attest/attestor.contract.ts";
import { awsIidAttestor } from "../../controlplane/attest/methods/aws-iid.ts";
import { azureImdsAttestor } from "../../controlplane/attest/methods/azure-imds.ts";
import { consulTokenAttestor } from "../../controlplane/attest/methods/consul-token.ts";
import { sshPopAttestor } from "../../controlplane/attest/methods/ssh-pop.ts";
import { consulJudge } from "../../controlplane/attest/proof/consul-permissions.ts";
import { KEY_USAGE, SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { challengeDigits, possessionStatement } from "../../mesh/identity/possession.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { startConsul } from "../../setup/run-consul.ts";
import { mint, mintRoot, type TestCertificate } from "./test-certificates.ts";

const clock = systemClock;
const BOUND = { ...UNBOUND, namespace: "shop" };

async function scratch(): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "lateen-attest-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export type SshKeyType = "ed25519" | "ecdsa-256" | "ecdsa-384" | "rsa-2048";

/** Keys, certificates and signatures by the real `ssh-keygen`. */
export async function sshSubject(
  type: SshKeyType,
): Promise<AttestorSubject & { readonly certificate: string; readonly key: string }> {
  const { path, remove } = await scratch();
  const keygen = (...args: readonly string[]): void =>
    void execFileSync("ssh-keygen", ["-q", ...args], { cwd: path });
  const key = (name: string, of: SshKeyType): void => {
    const [kind = "", bits] = of.split("-");
    keygen("-t", kind, ...(bits ? ["-b", bits] : []), "-N", "", "-f", name);
  };
  const certified = (name: string, authority: string, ...options: readonly string[]): void => {
    key(name, name === "host" ? type : "ed25519");
    keygen("-s", authority, "-I", "id", ...options, `${name}.pub`);
  };
  key("ca", type);
  key("stranger", "ed25519");
  const valid = ["-V", "-1h:+1d"];
  certified("host", "ca", "-h", "-n", "vm-1,vm-1.example", ...valid);
  certified("foreign", "stranger", "-h", "-n", "vm-1", ...valid);
  certified("user", "ca", "-n", "vm-1", ...valid);
  certified("other", "ca", "-h", "-n", "vm-2", ...valid);
  certified("everybody", "ca", "-h", ...valid);
  certified("old", "ca", "-h", "-n", "vm-1", "-V", "20200101:20200102");
  key("plain", "ed25519");
  const shown =
    (name: string, signer = name, namespace = "lateen", method = "ssh-pop"): MakeEvidence =>
    async ({ challenge, publicKeyDer }) =>
      JSON.stringify({
        certificate: await readFile(join(path, `${name}-cert.pub`), "utf8"),
        signature: await sshSign(
          join(path, signer),
          namespace,
          possessionStatement(method, challenge, publicKeyDer),
        ),
      });
  return {
    attestor: sshPopAttestor({
      authorities: [await readFile(join(path, "ca.pub"), "utf8")],
      binding: BOUND,
      clock,
    }),
    certificate: join(path, "host-cert.pub"),
    key: join(path, "host"),
    nodeName: "vm-1",
    good: shown("host"),
    want: { subject: "vm-1", namespace: "shop" },
    bad: {
      "signed by an authority of its own": shown("foreign"),
      "a user's": shown("user"),
      "another host's": shown("other"),
      "good for every host": shown("everybody"),
      expired: shown("old"),
      "with another's signature": shown("host", "plain"),
      "signed for another purpose": shown("host", "host", "git"),
      "signed for another method": shown("host", "host", "lateen", "x509-pop"),
      "a plain key": async () =>
        JSON.stringify({ certificate: await readFile(join(path, "plain.pub"), "utf8"), signature: "" }),
    },
    [Symbol.asyncDispose]: remove,
  };
}

async function sshSign(keyPath: string, namespace: string, message: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      "ssh-keygen",
      ["-q", "-Y", "sign", "-n", namespace, "-f", keyPath],
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    );
    child.stdin?.end(message);
  });
}

/** A document as OpenSSL signs it: `-stream` makes the indefinite lengths that AWS sends. */
async function signDocument(
  folder: string,
  content: string,
  signer: TestCertificate,
  ...options: readonly string[]
): Promise<string> {
  const [certificate, key, input] = ["signer.pem", "signer.key", "document"].map((name) =>
    join(folder, name),
  );
  await writeFile(certificate ?? "", signer.pem);
  await writeFile(key ?? "", signer.keyPem);
  await writeFile(input ?? "", content);
  const files = ["-signer", certificate ?? "", "-inkey", key ?? "", "-in", input ?? ""];
  const form = ["-sign", "-binary", "-nodetach", "-md", "sha256", "-outform", "DER"];
  return execFileSync("openssl", ["cms", ...form, ...files, ...options]).toString("base64");
}

export async function awsSubject(): Promise<AttestorSubject> {
  const { path, remove } = await scratch();
  const signer = mint({ commonName: "Amazon", extendedKeyUsage: undefined });
  const other = mint({ commonName: "Amazon", extendedKeyUsage: undefined });
  const document = {
    accountId: "123456789012",
    architecture: "x86_64",
    availabilityZone: "eu-central-1a",
    imageId: "ami-5fb8c835",
    instanceId: "i-1234567890abcdef0",
    instanceType: "t2.micro",
    pendingTime: new Date().toISOString().replace(/\.\d+Z/, "Z"),
    privateIp: "10.158.112.84",
    region: "eu-central-1",
    version: "2017-09-30",
  };
  const signed =
    (changes: object = {}, by = signer, ...options: readonly string[]): MakeEvidence =>
    () =>
      signDocument(path, JSON.stringify({ ...document, ...changes }, null, 2), by, ...options);
  return {
    attestor: awsIidAttestor({
      keys: [new X509Certificate(signer.pem).publicKey],
      accounts: ["123456789012"],
      regions: ["eu-central-1"],
      binding: BOUND,
      clock,
    }),
    nodeName: "vm",
    good: signed({}, signer, "-stream"),
    want: { subject: "123456789012/eu-central-1/i-1234567890abcdef0", namespace: "shop" },
    bad: {
      "signed by somebody else": signed({}, other),
      "of another account": signed({ accountId: "999999999999" }),
      "of another region": signed({ region: "us-east-1" }),
      "of an instance that was started yesterday": signed({
        pendingTime: new Date(Date.now() - 86_400_000).toISOString(),
      }),
      "without an instance": signed({ instanceId: undefined }),
      "with content that was changed": async (attempt) => {
        const bytes = Buffer.from(await signed()(attempt), "base64");
        const at = bytes.indexOf("i-1234567890abcdef0");
        bytes.write("i-9", at);
        return bytes.toString("base64");
      },
    },
    [Symbol.asyncDispose]: remove,
  };
}

export async function azureSubject(): Promise<
  AttestorSubject & { readonly sign: (nonce: string) => Promise<string> }
> {
  const { path, remove } = await scratch();
  const root = mintRoot("microsoft");
  const usage = { keyUsage: KEY_USAGE.digitalSignature, extendedKeyUsage: ["serverAuth"] as const };
  const service = (name: string, issuer = root): TestCertificate =>
    mint({ issuer, commonName: name, sans: [{ tag: SAN_DNS, value: name }], ...usage });
  const signer = service("metadata.azure.com");
  const subscriptionId = randomUUID();
  const vmId = randomUUID();
  const sign = (nonce: string, changes: object = {}, by = signer): Promise<string> => {
    const document = { licenseType: "", nonce, plan: {}, sku: "s", subscriptionId, vmId, ...changes };
    return signDocument(path, JSON.stringify(document), by);
  };
  const signed =
    (changes: object = {}, by = signer): MakeEvidence =>
    ({ challenge }) =>
      sign(challengeDigits(challenge), changes, by);
  return {
    sign,
    attestor: azureImdsAttestor({
      roots: [root.pem],
      subscriptions: [subscriptionId],
      binding: BOUND,
      clock,
    }),
    nodeName: "vm",
    good: signed(),
    want: { subject: `${subscriptionId}/${vmId}`, namespace: "shop" },
    bad: {
      "with another nonce": signed({ nonce: "0000000000" }),
      "of another subscription": signed({ subscriptionId: randomUUID() }),
      "signed by another service of the same authority": signed({}, service("storage.azure.com")),
      "signed by a service whose name only looks like it": signed(
        {},
        service("metadata.azure.com.evil.example"),
      ),
      "signed under another authority": signed({}, service("metadata.azure.com", mintRoot("microsoft"))),
    },
    [Symbol.asyncDispose]: remove,
  };
}

/** A real Consul with ACLs, deny by default. */
export async function consulSubject(binary: string): Promise<AttestorSubject & { readonly token: string }> {
  const master = randomUUID();
  const acl = `acl { enabled = true default_policy = "deny" tokens { master = "${master}" default = "${master}" } }`;
  const consul = await startConsul(binary, undefined, undefined, acl);
  const judge = consulJudge(consul.address);
  const call = async (path: string, body: unknown): Promise<Readonly<Record<string, string>>> => {
    const headers = { "x-consul-token": master };
    const response = await fetch(`${consul.address}/v1${path}`, {
      method: "PUT",
      headers,
      body: JSON.stringify(body),
    });
    return (await response.json()) as Readonly<Record<string, string>>;
  };
  const token = async (rules: string): Promise<string> => {
    const Name = `p-${randomUUID()}`;
    await call("/acl/policy", { Name, Rules: rules });
    return (await call("/acl/token", { Policies: [{ Name }] }))["SecretID"] ?? "";
  };
  const node = 'node "vm-1" { policy = "write" }';
  const service = (name: string, policy = "write"): string => `service "${name}" { policy = "${policy}" }`;
  const both = await token(`${node} ${service("reviews")} ${service("ratings")}`);
  const shown = (secret: string, services: readonly string[]) => () =>
    JSON.stringify({ token: secret, services });
  const withRules =
    (rules: string, ...services: readonly string[]): MakeEvidence =>
    async () =>
      JSON.stringify({ token: await token(rules), services });
  return {
    token: both,
    attestor: consulTokenAttestor({ ask: judge.ask, namespace: "shop" }),
    nodeName: "vm-1",
    good: shown(both, ["reviews", "ratings"]),
    want: { subject: "vm-1", namespace: "shop", serviceAccounts: ["reviews", "ratings"] },
    bad: {
      "for a service that it may not write": shown(both, ["reviews", "payments"]),
      "that may only read the service": withRules(`${node} ${service("reviews", "read")}`, "reviews"),
      "that may not write the node": withRules(service("reviews"), "reviews"),
      "of another node": withRules(`node "vm-2" { policy = "write" } ${service("reviews")}`, "reviews"),
      "that Consul does not know": shown(randomUUID(), ["reviews"]),
      "with a line break": shown(`${both}\r\nx-consul-token: ${master}`, ["reviews"]),
      "for no service": shown(both, []),
      "for a service whose name cannot be an identity": shown(both, ["../reviews"]),
    },
    [Symbol.asyncDispose]: async () => {
      await judge[Symbol.asyncDispose]();
      await consul[Symbol.asyncDispose]();
    },
  };
}
