import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { UNBOUND } from "../../controlplane/attest/agent-binding.ts";
import type { AttestorSubject, MakeEvidence } from "../../controlplane/attest/attestor.contract.ts";
import { JoinTokenStore } from "../../controlplane/attest/join-token-store.ts";
import { gcpIitAttestor } from "../../controlplane/attest/methods/gcp-iit.ts";
import { joinTokenAttestor } from "../../controlplane/attest/methods/join-token.ts";
import { nomadJwtAttestor } from "../../controlplane/attest/methods/nomad-jwt.ts";
import { x509PopAttestor } from "../../controlplane/attest/methods/x509-pop.ts";
import { issuerKeys } from "../../controlplane/attest/proof/verify-jwt.ts";
import { openDatabase } from "../../controlplane/store/database.ts";
import { KEY_USAGE, SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { generateJoinSecret } from "../../mesh/identity/join-token.ts";
import { possessionStatement } from "../../mesh/identity/possession.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import { NomadDouble } from "../fakes/nomad-double.ts";
import { type MintOptions, mint, mintRoot, newKey, type TestCertificate } from "./test-certificates.ts";

const clock = systemClock;
const BOUND = { ...UNBOUND, namespace: "shop" };
const nothing = async (): Promise<void> => {};

export async function joinTokenSubject(): Promise<AttestorSubject> {
  const database = openDatabase(":memory:");
  const tokens = new JoinTokenStore(database, clock);
  const token = (ttlMs = 60_000, binding = BOUND): string => tokens.create({ binding, ttlMs }).secret;
  const used = token();
  const attestor = joinTokenAttestor(tokens);
  return {
    attestor,
    nodeName: "vm-1",
    good: () => token(),
    want: { subject: /^[0-9a-f-]{36}$/, namespace: "shop" },
    bad: {
      "one that was never made": () => generateJoinSecret(),
      "one that has expired": () => token(-1),
      "one that was used": async (attempt) => {
        await attestor.attest(
          { ...attempt, publicKeyDer: Buffer.from("another"), evidence: used },
          AbortSignal.timeout(1000),
        );
        return used;
      },
      "one for another host": () => token(60_000, { ...BOUND, nodeName: "vm-2" }),
      "one for other addresses": () => token(60_000, { ...BOUND, cidrs: ["10.9.0.0/16"] }),
    },
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

export async function nomadSubject(): Promise<AttestorSubject & { readonly nomad: NomadDouble }> {
  const nomad = await NomadDouble.start();
  const client = await nomadClient({ address: nomad.address });
  const running = nomad.run("reviews", "shop");
  const ended = nomad.run("reviews", "shop");
  ended.ClientStatus = "complete";
  const stopping = nomad.run("reviews", "shop");
  stopping.DesiredStatus = "stop";
  const odd = nomad.run("../admin", "shop");
  const now = Math.floor(Date.now() / 1000);
  const jwt =
    (claims: object, header: object = {}) =>
    () =>
      nomad.workloadIdentity(running, { ...claims }, { ...header });
  const good = jwt({});
  return {
    nomad,
    attestor: nomadJwtAttestor({
      nomad: client,
      audience: "lateen.example",
      identity: { namespace: "{nomad_namespace}", serviceAccount: "{nomad_job_id}" },
      clock,
    }),
    nodeName: "whatever",
    good,
    want: { subject: running.ID, namespace: "shop", serviceAccounts: ["reviews"] },
    bad: {
      "for another audience": jwt({ aud: "vault.io" }),
      "for no audience": jwt({ aud: undefined }),
      expired: jwt({ exp: now - 120 }),
      "without an expiry": jwt({ exp: undefined }),
      "with an expiry in words": jwt({ exp: "9999999999" }),
      "not valid yet": jwt({ nbf: now + 600 }),
      "of an allocation that is not there": jwt({ nomad_allocation_id: randomUUID() }),
      "of an allocation with a path for an id": jwt({ nomad_allocation_id: "../jobs" }),
      "of no allocation": jwt({ nomad_allocation_id: undefined }),
      "of another job than the allocation": jwt({ nomad_job_id: "payments" }),
      "of another namespace than the allocation": jwt({ nomad_namespace: "bank" }),
      "of an allocation that has ended": () => nomad.workloadIdentity(ended),
      "of an allocation that is to stop": () => nomad.workloadIdentity(stopping),
      "of a job whose name cannot be an identity": () => nomad.workloadIdentity(odd),
      "signed with nothing": () =>
        good()
          .replace(/^[^.]+/, part({ alg: "none", kid: "x" }))
          .replace(/[^.]+$/, ""),
      "signed with a key that Nomad has not": jwt({}, { kid: randomUUID() }),
      "with a critical header": jwt({}, { crit: ["exp"] }),
      "with claims that were changed": () => {
        const [head, , signature] = good().split(".");
        const claims = { ...claimsOf(good()), nomad_job_id: "payments" };
        return [head, part(claims), signature].join(".");
      },
      "without a key's name": jwt({}, { kid: undefined }),
      "with the algorithm HS256 and the public key for a secret": jwt({}, { alg: "HS256" }),
    },
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await nomad[Symbol.asyncDispose]();
    },
  };
}

export async function gcpSubject(): Promise<AttestorSubject> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { privateKey: other } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "google-1", alg: "RS256", use: "sig" };
  const keys = issuerKeys("https://keys.example", async () => ({ keys: [jwk] }));
  const now = Math.floor(Date.now() / 1000);
  const instance = {
    project_id: "shop-prod",
    instance_id: "152986662232938449",
    zone: "europe-west3-a",
    instance_name: "vm",
  };
  const token =
    (claims: object = {}, key: KeyObject = privateKey) =>
    () => {
      const signed = [
        part({ alg: "RS256", kid: "google-1", typ: "JWT" }),
        part({
          aud: "lateen.example",
          iss: "https://accounts.google.com",
          iat: now,
          exp: now + 3600,
          google: { compute_engine: instance },
          ...claims,
        }),
      ].join(".");
      return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
    };
  return {
    attestor: gcpIitAttestor({
      keys,
      audience: "lateen.example",
      projects: ["shop-prod"],
      binding: BOUND,
      clock,
    }),
    nodeName: "vm",
    good: token(),
    want: { subject: "shop-prod/152986662232938449", namespace: "shop" },
    bad: {
      "of another project": token({ google: { compute_engine: { ...instance, project_id: "other" } } }),
      "of no instance": token({ google: undefined }),
      "of another issuer": token({ iss: "https://evil.example" }),
      "for another audience": token({ aud: "https://other.example" }),
      "signed by somebody else": token({}, other),
    },
    [Symbol.asyncDispose]: nothing,
  };
}

export async function x509Subject(): Promise<AttestorSubject> {
  const root = mintRoot("fleet root");
  const authority = (commonName: string, issuer: TestCertificate, more: MintOptions = {}): TestCertificate =>
    mint({
      commonName,
      issuer,
      isCa: true,
      keyUsage: KEY_USAGE.keyCertSign,
      extendedKeyUsage: undefined,
      ...more,
    });
  const first = authority("one", root);
  const host = (issuer: TestCertificate, more: MintOptions = {}): TestCertificate =>
    mint({ issuer, sans: [dns("vm-1.example")], extendedKeyUsage: ["clientAuth"], ...more });
  const chain = (...certificates: readonly TestCertificate[]): string =>
    certificates.map(({ pem }) => pem).join("");
  const shown =
    (chainPem: string, key: KeyObject): MakeEvidence =>
    ({ challenge, publicKeyDer }) => {
      const signature = sign("sha256", possessionStatement("x509-pop", challenge, publicKeyDer), key);
      return JSON.stringify({ chainPem, signature: signature.toString("base64") });
    };
  const of = (leaf: TestCertificate, ...issuers: readonly TestCertificate[]): MakeEvidence =>
    shown(chain(leaf, ...issuers), leaf.key);
  const leaf = host(first);
  const five = Array.from({ length: 5 }).reduce<readonly TestCertificate[]>(
    (list, _, index) => [authority(`ca ${index}`, list[0] ?? root), ...list],
    [],
  );
  const shortSighted = authority("short", root, { pathLength: 0 });
  const below = authority("below", shortSighted);
  const strange = authority("strange", root, { strangeExtension: true });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  return {
    attestor: x509PopAttestor({ roots: [root.pem], subject: "dns", binding: BOUND, clock }),
    nodeName: "whatever",
    good: of(leaf, first),
    want: { subject: "vm-1.example", namespace: "shop" },
    bad: {
      "with the key of another": shown(chain(leaf, first), newKey()),
      "without its intermediate": of(leaf),
      "under a root of its own": of(host(mintRoot("fleet root"))),
      "with five intermediates": of(host(five[0] ?? root), ...five),
      "under more CAs than one of them allows": of(host(below), below, shortSighted),
      "under a CA with a critical extension that nobody knows": of(host(strange), strange),
      "signed by a certificate that is no CA": of(host(leaf), leaf, first),
      expired: (attempt) => of(host(first, { notAfterMs: Date.now() - 1000 }), first)(attempt),
      "not valid yet": of(host(first, { notBeforeMs: Date.now() + 60_000 }), first),
      "under a CA that has expired": (attempt) => {
        const old = authority("old", root, { notAfterMs: Date.now() - 1000 });
        return of(host(old), old)(attempt);
      },
      "that is a server's": of(host(first, { extendedKeyUsage: ["serverAuth"] }), first),
      "without an extended key usage": of(host(first, { extendedKeyUsage: undefined }), first),
      "of a CA": of(first),
      "with no DNS name": of(host(first, { sans: [] }), first),
      "with two DNS names": of(host(first, { sans: [dns("vm-1.example"), dns("vm-2.example")] }), first),
      "with a wildcard for a name": of(host(first, { sans: [dns("*.example")] }), first),
      "with a critical extension that nobody knows": of(host(first, { strangeExtension: true }), first),
      "with a weak key": of(host(first, { key: weak }), first),
      "with its names written twice": of(host(first, { repeatKeyUsage: true }), first),
      "of version 1": of(host(first, { version: 1 }), first),
    },
    [Symbol.asyncDispose]: nothing,
  };
}

function dns(name: string): { readonly tag: number; readonly value: string } {
  return { tag: SAN_DNS, value: name };
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function claimsOf(jwt: string): object {
  return JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")) as object;
}
