import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { ServerTls } from "./gateway.ts";

const SPKI = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const NOTHING: ServerTls = {
  httpsRedirect: false,
  mode: "PASSTHROUGH",
  certificates: [],
  caCertificates: "",
  caCrl: "",
  credentialNames: [],
  caCertCredentialName: "",
  subjectAltNames: [],
  verifyCertificateSpki: [],
  verifyCertificateHash: [],
  minProtocolVersion: undefined,
  maxProtocolVersion: undefined,
  cipherSuites: [],
  ecdhCurves: [],
  insecureSkipVerify: false,
};

const PORT = { number: 443, name: "https", protocol: "HTTPS" } as const;

function gateway(tls: object): object {
  return { servers: [{ port: PORT, hosts: ["*"], tls }] };
}

interface GoodTls {
  readonly name: string;
  readonly tls: object;
  readonly want: Partial<ServerTls>;
  /** Path inside `tls`, and a part of the message. */
  readonly warnings?: readonly (readonly [string, string])[];
}

const FILES = { serverCertificate: "/c", privateKey: "/k" };
const PAIR = { ...FILES, caCertificates: "" };

const good: readonly GoodTls[] = [
  { name: "nothing: it is passed on", tls: {}, want: {} },
  { name: "AUTO_PASSTHROUGH", tls: { mode: "AUTO_PASSTHROUGH" }, want: { mode: "AUTO_PASSTHROUGH" } },
  { name: "ISTIO_MUTUAL", tls: { mode: "ISTIO_MUTUAL" }, want: { mode: "ISTIO_MUTUAL" } },
  {
    name: "SIMPLE with files",
    tls: { mode: "SIMPLE", ...FILES },
    want: { mode: "SIMPLE", certificates: [PAIR] },
  },
  {
    name: "SIMPLE with a credential",
    tls: { mode: "SIMPLE", credentialName: "shop" },
    want: { mode: "SIMPLE", credentialNames: ["shop"] },
  },
  {
    name: "SIMPLE with two credentials",
    tls: { mode: "SIMPLE", credentialNames: ["rsa", "ecdsa"] },
    want: { mode: "SIMPLE", credentialNames: ["rsa", "ecdsa"] },
  },
  {
    name: "SIMPLE with two pairs of files",
    tls: { mode: "SIMPLE", tlsCertificates: [FILES, { ...FILES, caCertificates: "/a" }] },
    want: { mode: "SIMPLE", certificates: [PAIR, { ...FILES, caCertificates: "/a" }] },
    warnings: [["tlsCertificates[1].caCertificates", "is not used"]],
  },
  {
    name: "MUTUAL with files and all that a client may be asked for",
    tls: {
      mode: "MUTUAL",
      ...FILES,
      caCertificates: "/a",
      caCrl: "/r",
      subjectAltNames: ["a.b"],
      verifyCertificateSpki: [SPKI],
      verifyCertificateHash: [HASH, HASH.toUpperCase().replaceAll(/..(?=.)/g, "$&:")],
      insecureSkipVerify: true,
    },
    want: {
      mode: "MUTUAL",
      certificates: [PAIR],
      caCertificates: "/a",
      caCrl: "/r",
      subjectAltNames: ["a.b"],
      verifyCertificateSpki: [SPKI],
      verifyCertificateHash: [HASH, HASH.toUpperCase().replaceAll(/..(?=.)/g, "$&:")],
      insecureSkipVerify: true,
    },
  },
  {
    name: "OPTIONAL_MUTUAL with a credential and another for the roots",
    tls: { mode: "OPTIONAL_MUTUAL", credentialName: "shop", caCertCredentialName: "roots" },
    want: { mode: "OPTIONAL_MUTUAL", credentialNames: ["shop"], caCertCredentialName: "roots" },
  },
  {
    name: "versions",
    tls: { minProtocolVersion: "TLSV1_2", maxProtocolVersion: "TLSV1_3" },
    want: { minProtocolVersion: "TLSV1_2", maxProtocolVersion: "TLSV1_3" },
  },
  {
    name: "automatic versions",
    tls: { minProtocolVersion: "TLS_AUTO", maxProtocolVersion: "TLS_AUTO" },
    want: {},
  },
  {
    name: "old versions without suites for them",
    tls: { minProtocolVersion: "TLSV1_0" },
    want: { minProtocolVersion: "TLSV1_0" },
    warnings: [["minProtocolVersion", "needs cipherSuites too"]],
  },
  {
    name: "suites that are unknown or repeated are left out",
    tls: { cipherSuites: ["AES128-SHA", "AES128-SAH", "AES128-SHA", "ALL", "-AES"] },
    want: { cipherSuites: ["AES128-SHA", "ALL", "-AES"] },
    warnings: [
      ["cipherSuites[1]", "did you mean `AES128-SHA`?"],
      ["cipherSuites[2]", "a second time and is ignored"],
    ],
  },
  {
    name: "curves",
    tls: { ecdhCurves: ["X25519", "P-257"] },
    want: { ecdhCurves: ["X25519", "P-257"] },
    warnings: [["ecdhCurves[1]", "did you mean `P-256`?"]],
  },
  {
    name: "certificates that nobody sees",
    tls: { ...FILES, caCertificates: "/a" },
    want: { certificates: [PAIR], caCertificates: "/a" },
    warnings: [
      ["serverCertificate", "is not used with PASSTHROUGH"],
      ["privateKey", "is not used with PASSTHROUGH"],
      ["caCertificates", "is not used with PASSTHROUGH"],
    ],
  },
  {
    name: "roots of clients for each certificate, of which only the server's own count",
    tls: { mode: "MUTUAL", tlsCertificates: [{ ...FILES, caCertificates: "/b" }], caCertificates: "/a" },
    want: { mode: "MUTUAL", certificates: [{ ...PAIR, caCertificates: "/b" }], caCertificates: "/a" },
    warnings: [["tlsCertificates[0].caCertificates", "caCertificates beside the list"]],
  },
  {
    name: "a revocation list beside a credential",
    tls: { mode: "MUTUAL", credentialName: "shop", caCrl: "/r" },
    want: { mode: "MUTUAL", credentialNames: ["shop"], caCrl: "/r" },
    warnings: [["caCrl", "put the list into the Secret"]],
  },
];

interface BadTls {
  readonly name: string;
  readonly tls: object;
  readonly errors: readonly (readonly [string, string])[];
}

const bad: readonly BadTls[] = [
  { name: "a mode that is none", tls: { mode: "SIMPEL" }, errors: [["mode", "did you mean `SIMPLE`?"]] },
  {
    name: "SIMPLE with nothing",
    tls: { mode: "SIMPLE" },
    errors: [
      ["serverCertificate", "is required with SIMPLE (or a credentialName)"],
      ["privateKey", "is required with SIMPLE (or a credentialName)"],
    ],
  },
  {
    name: "MUTUAL without roots",
    tls: { mode: "MUTUAL", ...FILES },
    errors: [["caCertificates", "is required with MUTUAL"]],
  },
  {
    name: "OPTIONAL_MUTUAL without a key and roots",
    tls: { mode: "OPTIONAL_MUTUAL", serverCertificate: "/c" },
    errors: [
      ["privateKey", "is required with OPTIONAL_MUTUAL"],
      ["caCertificates", "is required with OPTIONAL_MUTUAL"],
    ],
  },
  {
    name: "a pair of which a half is missing",
    tls: { mode: "SIMPLE", tlsCertificates: [FILES, { privateKey: "/k" }] },
    errors: [["tlsCertificates[1].serverCertificate", "is required with SIMPLE"]],
  },
  {
    name: "three pairs, three credentials",
    tls: { mode: "SIMPLE", tlsCertificates: [FILES, FILES, FILES], credentialNames: ["a", "b", "c"] },
    errors: [
      ["tlsCertificates", "at most 2"],
      ["credentialNames", "at most 2"],
    ],
  },
  {
    name: "no pair and no credential where there are lists for them",
    tls: { tlsCertificates: [], credentialNames: [] },
    errors: [
      ["tlsCertificates", "at least 1"],
      ["credentialNames", "at least 1"],
    ],
  },
  ...[
    { ...FILES, credentialName: "a" },
    { credentialName: "a", credentialNames: ["b"] },
    { credentialNames: ["b"], tlsCertificates: [FILES] },
    { ...FILES, tlsCertificates: [FILES] },
  ].map((tls) => ({
    name: `${Object.keys(tls).join(" and ")} at once`,
    tls: { mode: "SIMPLE", ...tls },
    errors: [["", "must have only one of credentialName"]] as const,
  })),
  {
    name: "ISTIO_MUTUAL with certificates of another",
    tls: {
      mode: "ISTIO_MUTUAL",
      ...FILES,
      caCertificates: "/a",
      credentialName: "a",
      credentialNames: ["a"],
      tlsCertificates: [FILES],
    },
    errors: [
      "serverCertificate",
      "privateKey",
      "caCertificates",
      "credentialName",
      "credentialNames",
      "tlsCertificates",
    ].map((field) => [field, "the workload's own identity is used"] as const),
  },
  {
    name: "a revocation list with SIMPLE",
    tls: { mode: "SIMPLE", ...FILES, caCrl: "/r" },
    errors: [["caCrl", "no client certificate is asked for"]],
  },
  {
    name: "hashes that are none",
    tls: { verifyCertificateSpki: [HASH], verifyCertificateHash: [SPKI, "ab"] },
    errors: [
      ["verifyCertificateSpki[0]", "is not the base64 of a SHA-256"],
      ["verifyCertificateHash[0]", "is not a SHA-256"],
      ["verifyCertificateHash[1]", "is not a SHA-256"],
    ],
  },
  {
    name: "versions in the wrong order",
    tls: { minProtocolVersion: "TLSV1_3", maxProtocolVersion: "TLSV1_2" },
    errors: [["maxProtocolVersion", "must not be older than minProtocolVersion"]],
  },
];

const inServer = ([path, message]: readonly [string, string]): readonly [string, string] => [
  `spec.servers[0].tls${path === "" ? "" : `.${path}`}`,
  message,
];

testKind("Gateway", "networking.istio.io/v1", {
  good: good.map(({ name, tls, want, warnings = [] }): GoodCase<"Gateway"> => {
    const parsed = { name: "", port: PORT, bind: "", hosts: [{ namespace: "*", host: "*" }] };
    return {
      name: `TLS, ${name}`,
      spec: gateway(tls),
      want: { servers: [{ ...parsed, tls: { ...NOTHING, ...want } }] },
      warnings: warnings.map(inServer),
    };
  }),
  bad: bad.map(
    ({ name, tls, errors }): BadCase => ({
      name: `TLS, ${name}`,
      spec: gateway(tls),
      errors: errors.map(inServer),
    }),
  ),
});
