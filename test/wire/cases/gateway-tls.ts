import { createHash, X509Certificate } from "node:crypto";
import { SAN_DNS } from "../../../mesh/identity/certificate-facts.ts";
import { secret } from "../../harness/mesh-gateways.ts";
import { mint, mintCrl } from "../../harness/test-certificates.ts";
import { type At, entry, routes, type TcpCall, tcp, type WireCall, type WireCase } from "../wire-case.ts";
import { CERTIFICATES } from "../wire-certificates.ts";
import { AT_GATEWAY, gateway, mesh } from "./mesh.ts";

const DB = "db.test";
const SERVER = "serverCertificate: FOLDER/secure.pem, privateKey: FOLDER/secure.key";

const withTls = (at: At, settings: string): string =>
  gateway(at, `port: { number: 8443, name: tls, protocol: TLS }, tls: { ${settings} }`) +
  entry(DB, "9000 TCP", [at("ta")]) +
  routes("*", `gateways: [edge], tcp: [{ route: [{ destination: { host: ${DB} } }] }]`, "{ name: edge }");

const call = (from: "ta" | "nobody", offers: TcpCall["offers"] = {}): WireCall =>
  tcp(`gateway ${DB}:8443`, from, { serverName: "secure.test", offers });

const showing = ({ pem, keyPem }: { readonly pem: string; readonly keyPem: string }): TcpCall["offers"] => ({
  cert: pem,
  key: keyPem,
});

const only = (version: "TLSv1.2" | "TLSv1.3"): TcpCall["offers"] => ({
  minVersion: version,
  maxVersion: version,
});
const ONLY_1_1 = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
const suite = (ciphers: string): TcpCall["offers"] => ({ ...only("TLSv1.2"), ciphers });

const CLIENT_NAMES = "caCertificates: FOLDER/roots.pem, mode: MUTUAL";

const { root, client, secure, rsa, stranger, mesh: peer } = CERTIFICATES;
const named = mint({ issuer: root, commonName: "named", sans: [{ tag: SAN_DNS, value: "named.test" }] });

/** The base64 of the SHA-256 of a certificate's public key. */
function spkiHash({ pem }: { readonly pem: string }): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64");
}

export const GATEWAY_TLS_CASES: readonly WireCase[] = [
  {
    name: "a gateway's TLS is 1.2 or 1.3, unless it says otherwise",
    yaml: (at) => `${withTls(at, "mode: SIMPLE, credentialName: edge")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [call("ta", only("TLSv1.2")), call("ta", only("TLSv1.3")), call("nobody", ONLY_1_1)],
  },
  {
    name: "minProtocolVersion: who offers less stays out",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialName: edge, minProtocolVersion: TLSV1_3")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [call("nobody", only("TLSv1.2")), call("ta", only("TLSv1.3"))],
  },
  {
    name: "minProtocolVersion: old callers come in where it and the suites let them",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialName: edge, minProtocolVersion: TLSV1_1, cipherSuites: [ECDHE-ECDSA-AES128-SHA]")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [call("ta", ONLY_1_1)],
  },
  {
    name: "maxProtocolVersion: nothing newer is spoken",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialName: edge, maxProtocolVersion: TLSV1_2")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [call("ta", only("TLSv1.2")), call("nobody", only("TLSv1.3"))],
  },
  {
    name: "cipherSuites: no others are agreed on",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialName: edge, cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384]")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [
      call("ta", suite("ECDHE-ECDSA-AES256-GCM-SHA384")),
      call("nobody", suite("ECDHE-ECDSA-AES128-GCM-SHA256")),
    ],
  },
  {
    name: "ecdhCurves: no others are agreed on",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialName: edge, ecdhCurves: [P-384]")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [call("ta", { ecdhCurve: "P-384" }), call("nobody", { ecdhCurve: "X25519" })],
  },
  {
    name: "tlsDefaults: for what a server does not say itself",
    yaml: (at) =>
      `${mesh("tlsDefaults: { minProtocolVersion: TLSV1_3, ecdhCurves: [P-384] }")}${withTls(at, "mode: SIMPLE, credentialName: edge, ecdhCurves: [X25519]")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [
      call("nobody", only("TLSv1.2")),
      call("nobody", { ecdhCurve: "P-384" }),
      call("ta", { ecdhCurve: "X25519" }),
    ],
  },
  {
    name: "tlsDefaults: a server that speaks TLS 1.2 at most still does",
    yaml: (at) =>
      `${mesh("tlsDefaults: { minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384] }")}${withTls(at, "mode: SIMPLE, credentialName: edge, maxProtocolVersion: TLSV1_2")}\n${secret("edge", secure)}`,
    caller: AT_GATEWAY,
    calls: [
      call("ta", suite("ECDHE-ECDSA-AES256-GCM-SHA384")),
      call("nobody", suite("ECDHE-ECDSA-AES128-GCM-SHA256")),
    ],
  },
  {
    name: "meshMTLS: the suites of mesh TLS, which tlsDefaults are not for",
    yaml: (at) =>
      mesh(
        "meshMTLS: { cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384] }, tlsDefaults: { minProtocolVersion: TLSV1_3 }",
      ) + withTls(at, "mode: ISTIO_MUTUAL"),
    caller: AT_GATEWAY,
    calls: [
      call("ta", { ...showing(peer), ...suite("ECDHE-ECDSA-AES256-GCM-SHA384") }),
      call("nobody", { ...showing(peer), ...suite("ECDHE-ECDSA-AES128-GCM-SHA256") }),
    ],
  },
  {
    name: "meshMTLS: minProtocolVersion at a gateway",
    yaml: (at) => mesh("meshMTLS: { minProtocolVersion: TLSV1_3 }") + withTls(at, "mode: ISTIO_MUTUAL"),
    caller: AT_GATEWAY,
    calls: [
      call("ta", { ...showing(peer), ...only("TLSv1.3") }),
      call("nobody", { ...showing(peer), ...only("TLSv1.2") }),
    ],
  },
  {
    name: "credentialNames: a caller gets the certificate of the kind that it can check",
    yaml: (at) =>
      `${withTls(at, "mode: SIMPLE, credentialNames: [ec, rsa]")}\n${secret("ec", secure)}\n${secret("rsa", rsa)}`,
    caller: AT_GATEWAY,
    calls: [
      call("ta", suite("ECDHE-ECDSA-AES128-GCM-SHA256")),
      call("ta", suite("ECDHE-RSA-AES128-GCM-SHA256")),
    ],
  },
  {
    name: "MUTUAL: who comes in shows a certificate of the roots in the host's files",
    yaml: (at) => withTls(at, `${CLIENT_NAMES}, ${SERVER}`),
    caller: AT_GATEWAY,
    calls: [call("ta", showing(client)), call("nobody", showing(stranger)), call("nobody")],
  },
  {
    name: "tlsCertificates: each of several pairs of the host's files is shown to whom it suits",
    yaml: (at) =>
      withTls(
        at,
        "mode: SIMPLE, tlsCertificates: [{ serverCertificate: FOLDER/secure.pem, privateKey: FOLDER/secure.key }, { serverCertificate: FOLDER/rsa.pem, privateKey: FOLDER/rsa.key }]",
      ),
    caller: AT_GATEWAY,
    calls: [
      call("ta", suite("ECDHE-ECDSA-AES128-GCM-SHA256")),
      call("ta", suite("ECDHE-RSA-AES128-GCM-SHA256")),
    ],
  },
  {
    name: "caCertCredentialName: clients are checked with the roots of another Secret",
    yaml: (at) =>
      `${withTls(at, "mode: MUTUAL, credentialName: edge, caCertCredentialName: roots")}\n${secret("edge", secure, stranger)}\n${secret("roots", secure, root)}`,
    caller: AT_GATEWAY,
    calls: [call("ta", showing(client)), call("nobody", showing(stranger))],
  },
  ...(
    [
      ["subjectAltNames", "named.test"],
      ["verifyCertificateSpki", spkiHash(named)],
      ["verifyCertificateHash", new X509Certificate(named.pem).fingerprint256],
    ] as const
  ).map(
    ([field, value]): WireCase => ({
      name: `${field}: of those who have a certificate of the roots, only who it fits comes in`,
      yaml: (at) => withTls(at, `${CLIENT_NAMES}, ${SERVER}, ${field}: ["${value}"]`),
      caller: AT_GATEWAY,
      calls: [call("ta", showing(named)), call("nobody", showing(client))],
    }),
  ),
  {
    name: "insecureSkipVerify: a client shows a certificate, whoever signed it",
    yaml: (at) => withTls(at, `${CLIENT_NAMES}, ${SERVER}, insecureSkipVerify: true`),
    caller: AT_GATEWAY,
    calls: [call("ta", showing(mint({ issuer: stranger, commonName: "foreign" }))), call("nobody")],
  },
  {
    name: "PASSTHROUGH: TLS goes on as it is to where its name leads, and what has no route stays out",
    yaml: (at) =>
      gateway(at, "port: { number: 8443, name: tls, protocol: TLS }, tls: { mode: PASSTHROUGH }") +
      entry("a.test", "4430 TLS", [at("tta")]) +
      entry("b.test", "4430 TLS", [at("ttb")]) +
      routes(
        ["one.test", "two.test"],
        "gateways: [edge], tls: [{ match: [{ sniHosts: [one.test] }], route: [{ destination: { host: a.test } }] }, { match: [{ sniHosts: [two.test] }], route: [{ destination: { host: b.test } }] }]",
        "{ name: edge }",
      ),
    caller: AT_GATEWAY,
    calls: [
      tcp("gateway x:8443", { from: "tta", echo: { serverName: "one.test" } }, { serverName: "one.test" }),
      tcp("gateway x:8443", { from: "ttb", echo: { serverName: "two.test" } }, { serverName: "two.test" }),
      tcp("gateway x:8443", "nobody", { serverName: "three.test" }),
    ],
  },
  {
    name: "caCrl: a client whose certificate is taken back stays out, and nobody else",
    yaml: (at) => withTls(at, `${CLIENT_NAMES}, ${SERVER}, caCrl: FOLDER/both.crl`),
    caller: AT_GATEWAY,
    calls: [
      call("nobody", showing(client)),
      call("ta", showing(mint({ issuer: root, commonName: "other" }))),
    ],
  },
  {
    name: "caCrl: a list of nobody keeps nobody out",
    yaml: (at) => withTls(at, `${CLIENT_NAMES}, ${SERVER}, caCrl: FOLDER/nobody.crl`),
    caller: AT_GATEWAY,
    calls: [call("ta", showing(client))],
  },
  {
    name: "ca.crl of a Secret: a client whose certificate is taken back stays out, and nobody else",
    yaml: (at) =>
      `${withTls(at, "mode: MUTUAL, credentialName: edge")}\n${secret("edge", secure, root, mintCrl(root, [client]))}`,
    caller: AT_GATEWAY,
    calls: [
      call("nobody", showing(client)),
      call("ta", showing(mint({ issuer: root, commonName: "other" }))),
    ],
  },
];
