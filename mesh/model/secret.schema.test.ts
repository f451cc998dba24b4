import assert from "node:assert/strict";
import { test } from "node:test";
import { mint, mintRoot } from "../../test/harness/test-certificates.ts";
import { derToPem } from "../identity/pem.ts";
import { parseDocuments } from "./parse-documents.ts";
import { parseObject } from "./parse-object.ts";
import type { SecretSpec } from "./secret.ts";

const ROOT = mintRoot();
const LEAF = mint({ issuer: ROOT, commonName: "shop.example.com" });
const OTHER = mint({ issuer: ROOT, commonName: "other.example.com" });
const CHAIN = `${LEAF.pem}${ROOT.pem}`;
const CRL = derToPem(Buffer.from("not looked into"), "CERTIFICATE").replaceAll("CERTIFICATE", "X509 CRL");

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function parse(fields: object): ReturnType<typeof parseObject> {
  return parseObject(
    { apiVersion: "v1", kind: "Secret", metadata: { name: "shop" }, ...fields },
    { defaultNamespace: "default" },
  );
}

interface Good {
  readonly name: string;
  readonly fields: object;
  readonly want: Partial<SecretSpec>;
}

const good: readonly Good[] = [
  {
    name: "a certificate of Kubernetes",
    fields: { type: "kubernetes.io/tls", data: { "tls.crt": base64(CHAIN), "tls.key": base64(LEAF.keyPem) } },
    want: { certificateChain: CHAIN, privateKey: LEAF.keyPem },
  },
  {
    name: "base64 in lines",
    fields: {
      data: { "tls.crt": base64(CHAIN).replaceAll(/.{76}/g, "$&\n"), "tls.key": base64(LEAF.keyPem) },
    },
    want: { certificateChain: CHAIN, privateKey: LEAF.keyPem },
  },
  {
    name: "all parts, in plain text, under Istio's names",
    fields: { type: "Opaque", stringData: { cert: LEAF.pem, key: LEAF.keyPem, cacert: ROOT.pem, crl: CRL } },
    want: { certificateChain: LEAF.pem, privateKey: LEAF.keyPem, roots: ROOT.pem, crl: CRL },
  },
  {
    name: "roots alone",
    fields: { data: { "ca.crt": base64(ROOT.pem) }, immutable: true },
    want: { roots: ROOT.pem },
  },
  {
    name: "plain text beside base64 of the same name",
    fields: { data: { "ca.crt": base64(LEAF.pem) }, stringData: { "ca.crt": ROOT.pem } },
    want: { roots: ROOT.pem },
  },
];

for (const { name, fields, want } of good) {
  test(`Secret: ${name}`, () => {
    const { object, violations } = parse(fields);
    assert.deepEqual(violations, []);
    assert.deepEqual(object?.spec, { certificateChain: "", privateKey: "", roots: "", crl: "", ...want });
    assert.deepEqual(Object.keys(object.written).includes("spec"), false);
    assert.deepEqual(parseObject(object.written, { defaultNamespace: "elsewhere" }).object, object);
  });
}

const pair = (crt: string, key: string): object => ({ stringData: { "tls.crt": crt, "tls.key": key } });

const bad: readonly { readonly name: string; readonly fields: object; readonly want: readonly string[] }[] = [
  {
    name: "nothing",
    fields: {},
    want: ["data: must have a certificate with its key (tls.crt and tls.key) or roots (ca.crt)"],
  },
  {
    name: "a misspelt type",
    fields: { type: "kubernetes.io/tsl", data: { "ca.crt": base64(ROOT.pem) } },
    want: [
      'type: must be one of Opaque, kubernetes.io/tls, not "kubernetes.io/tsl" (did you mean `kubernetes.io/tls`?)',
    ],
  },
  {
    name: "the type of a certificate and none of it",
    fields: { type: "kubernetes.io/tls" },
    want: [
      'data["tls.crt"]: is required: the certificate chain, leaf first',
      'data["tls.key"]: is required: the certificate\'s private key',
    ],
  },
  {
    name: "a certificate without its key",
    fields: { data: { "tls.crt": base64(CHAIN) } },
    want: ['data["tls.key"]: is required: the certificate\'s private key'],
  },
  {
    name: "no base64, no text",
    fields: { data: { "tls.crt": CHAIN, "tls.key": 12345, "ca.crt": null } },
    want: [
      'data["ca.crt"]: must be a string',
      'data["tls.crt"]: is not base64: put plain text under stringData',
      'data["tls.key"]: must be a string',
    ],
  },
  {
    name: "the key of another certificate",
    fields: pair(CHAIN, OTHER.keyPem),
    want: ['stringData["tls.key"]: is not the key of the first certificate'],
  },
  {
    name: "a chain that does not begin with the leaf",
    fields: pair(`${ROOT.pem}${LEAF.pem}`, LEAF.keyPem),
    want: ['stringData["tls.key"]: is not the key of the first certificate'],
  },
  {
    name: "certificate and key exchanged",
    fields: pair(LEAF.keyPem, LEAF.pem),
    want: [
      'stringData["tls.crt"]: has a PEM block labelled PRIVATE KEY, which is not a certificate',
      'stringData["tls.key"]: is not a private key in PEM (-----BEGIN PRIVATE KEY-----)',
    ],
  },
  {
    name: "a certificate that is damaged",
    fields: pair(`${LEAF.pem}${ROOT.pem.replace(/MII/, "AAA")}`, LEAF.keyPem),
    want: ['stringData["tls.crt"]: has a certificate that cannot be read, number 2 of 2'],
  },
  {
    name: "a key with a passphrase",
    fields: pair(
      LEAF.pem,
      LEAF.key.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }).toString(),
    ),
    want: ['stringData["tls.key"]: is encrypted: give the key without a passphrase'],
  },
  {
    name: "roots and a revocation list that are none",
    fields: { stringData: { "ca.crt": "hello", "ca.crl": ROOT.pem } },
    want: [
      'stringData["ca.crl"]: has a PEM block labelled CERTIFICATE, which is not a revocation list',
      'stringData["ca.crt"]: is not a certificate in PEM (-----BEGIN CERTIFICATE-----)',
    ],
  },
  {
    name: "what Lateen printed in their place",
    fields: { data: { "tls.crt": "<redacted>" }, stringData: { "tls.key": "<redacted>" } },
    want: [
      'data["tls.crt"]: is what Lateen prints in a secret\'s place: apply the file that has the secret itself',
      'stringData["tls.key"]: is what Lateen prints in a secret\'s place: apply the file that has the secret itself',
    ],
  },
];

for (const { name, fields, want } of bad) {
  test(`Secret is refused: ${name}`, () => {
    const { object, violations } = parse(fields);
    assert.equal(object, undefined);
    assert.deepEqual(violations.map(({ path, message }) => `${path}: ${message}`).sort(), want);
  });
}

for (const [what, fields] of [
  ["of another type", { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "e30=" } }],
  ["with a password", { stringData: { password: "hush-hush" } }],
  ["with a password, and a type", { type: "Opaque", data: { password: "aHVzaC1odXNo" } }],
] as const) {
  test(`a Secret ${what} is not the mesh's, and is passed over without its content`, () => {
    const { object, violations } = parse(fields);
    assert.equal(object, undefined);
    assert.deepEqual(
      violations.map(({ path, severity }) => [path, severity]),
      [["kind", "info"]],
    );
    assert.doesNotMatch(violations[0]?.message ?? "", /hush|aHVz/);
  });
}

test("keys that nobody reads and fields of other kinds are warnings", () => {
  const { object, violations } = parse({
    data: { "ca.crt": base64(ROOT.pem), "tls.ocsp-staple": "" },
    strngData: {},
  });
  assert.ok(object);
  assert.deepEqual(
    violations.map(({ path, severity }) => `${severity} ${path}`),
    ['warning data["tls.ocsp-staple"]', "warning strngData"],
  );
});

test("no message has a part of the secret in it", () => {
  const secrets = [LEAF.keyPem, base64(LEAF.keyPem)]
    .flatMap((text) => text.split("\n"))
    .filter((line) => line.length > 20 && !line.startsWith("-----"));
  const texts = [
    ...bad.map(({ fields }) =>
      JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, ...fields }),
    ),
    ...[
      LEAF.keyPem,
      `x: ${LEAF.keyPem}`,
      `"${LEAF.keyPem}`,
      `- ${LEAF.keyPem}: ${LEAF.keyPem}`,
      `|\n${LEAF.keyPem}`,
    ].map((misplaced) => `apiVersion: v1\nkind: Secret\nstringData:\n  tls.key: ${misplaced}`),
  ];
  for (const text of texts) {
    const { violations } = parseDocuments(text, { defaultNamespace: "default" });
    assert.ok(violations.length > 0, text);
    const said = violations.map(({ path, message }) => `${path} ${message}`).join("\n");
    for (const secret of secrets) assert.ok(!said.includes(secret.slice(0, 40)), said);
  }
});
