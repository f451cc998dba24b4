import * as z from "zod";
import type { ServerTls, TlsVersion } from "./gateway.ts";
import { flag, optionalText, text, textThat } from "./scalars.schema.ts";
import { withReview } from "./schema-notice.ts";
import { type Report, rule } from "./schema-rule.ts";
import { knownCipherSuites, reviewServerTls } from "./server-tls-review.ts";

const MODES = [
  "PASSTHROUGH",
  "SIMPLE",
  "MUTUAL",
  "OPTIONAL_MUTUAL",
  "AUTO_PASSTHROUGH",
  "ISTIO_MUTUAL",
] as const;
const VERSIONS = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"] as const;

const SPKI = /^[A-Za-z0-9+/]{43}=$/;
const HASH = /^(?:[0-9a-f]{64}|[0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i;

const version = z.enum(VERSIONS).default("TLS_AUTO");

const certificate = z.object({
  serverCertificate: optionalText,
  privateKey: optionalText,
  caCertificates: optionalText,
});

const fields = z.object({
  httpsRedirect: flag,
  mode: z.enum(MODES).default("PASSTHROUGH"),
  serverCertificate: optionalText,
  privateKey: optionalText,
  caCertificates: optionalText,
  caCrl: optionalText,
  credentialName: optionalText,
  credentialNames: z
    .array(textThat(() => true, ""))
    .min(1)
    .max(2)
    .optional(),
  caCertCredentialName: optionalText,
  tlsCertificates: z.array(certificate).min(1).max(2).optional(),
  subjectAltNames: z.array(text).default([]),
  verifyCertificateSpki: z.array(textThat((hash) => SPKI.test(hash), "the base64 of a SHA-256")).default([]),
  verifyCertificateHash: z
    .array(textThat((hash) => HASH.test(hash), "a SHA-256 in hexadecimal, with or without colons"))
    .default([]),
  minProtocolVersion: version,
  maxProtocolVersion: version,
  cipherSuites: z.array(text).default([]),
  ecdhCurves: z.array(text).default([]),
  insecureSkipVerify: flag,
});

type Fields = z.output<typeof fields>;

const CREDENTIALS = [
  "serverCertificate",
  "privateKey",
  "caCertificates",
  "credentialName",
  "credentialNames",
  "tlsCertificates",
] as const;
type Credential = (typeof CREDENTIALS)[number];

const checked = fields.check(
  rule(["mode", ...CREDENTIALS], (tls, report) => checkCredentials(tls, report)),
  rule(["mode", "credentialName", "credentialNames", "caCrl"], (tls, report) => checkRevocation(tls, report)),
  rule(["minProtocolVersion", "maxProtocolVersion"], ({ minProtocolVersion, maxProtocolVersion }, report) => {
    if (maxProtocolVersion === "TLS_AUTO") return;
    if (VERSIONS.indexOf(minProtocolVersion) > VERSIONS.indexOf(maxProtocolVersion))
      report(["maxProtocolVersion"], `must not be older than minProtocolVersion, ${minProtocolVersion}`);
  }),
);

/** ServerTLSSettings of a Gateway. */
export const serverTls: z.ZodType<ServerTls> = withReview(checked.transform(toServerTls), reviewServerTls);

/** What a Sidecar's ingress does not take of ServerTLSSettings. */
const NOT_FOR_INGRESS = [
  "subjectAltNames",
  "httpsRedirect",
  "credentialName",
  "credentialNames",
  "caCertCredentialName",
  "tlsCertificates",
] as const;

/** ServerTLSSettings of a Sidecar's ingress listener: files, and a mode that has an end of its own. */
export const ingressTls: z.ZodType<ServerTls> = withReview(
  checked
    .check(
      rule(["mode", ...NOT_FOR_INGRESS], (tls, report) => {
        for (const field of NOT_FOR_INGRESS) {
          if (isSaid(tls[field]))
            report([field], "is not for a Sidecar: its ingress takes certificates from files");
        }
        if (tls.mode === "ISTIO_MUTUAL" || tls.mode === "AUTO_PASSTHROUGH")
          report(["mode"], `must not be ${tls.mode} for a Sidecar's ingress`);
      }),
    )
    .transform(toServerTls),
  reviewServerTls,
);

function checkCredentials(tls: Pick<Fields, "mode" | Credential>, report: Report): void {
  if (tls.mode === "ISTIO_MUTUAL") {
    for (const field of CREDENTIALS) {
      if (isSaid(tls[field]))
        report([field], "must not be set with ISTIO_MUTUAL: the workload's own identity is used");
    }
    return;
  }
  const sources = [
    tls.credentialName !== "",
    tls.credentialNames !== undefined,
    tls.tlsCertificates !== undefined,
    tls.serverCertificate !== "" && tls.privateKey !== "",
  ].filter(Boolean).length;
  if (sources > 1)
    report(
      [],
      "must have only one of credentialName, credentialNames, tlsCertificates and serverCertificate with privateKey",
    );
  const named = tls.credentialName !== "" || tls.credentialNames !== undefined;
  if (!named && (tls.mode === "SIMPLE" || tls.mode === "MUTUAL" || tls.mode === "OPTIONAL_MUTUAL"))
    checkFiles(tls, tls.mode, report);
}

function checkFiles(
  tls: Pick<Fields, "serverCertificate" | "privateKey" | "caCertificates" | "tlsCertificates">,
  mode: string,
  report: Report,
): void {
  if (mode !== "SIMPLE" && tls.caCertificates === "")
    report(["caCertificates"], `is required with ${mode}: client certificates are verified with it`);
  const pairs = tls.tlsCertificates?.map((pair, index) => ({ pair, path: ["tlsCertificates", index] }));
  for (const { pair, path } of pairs ?? [{ pair: tls, path: [] }]) {
    if (pair.serverCertificate === "")
      report([...path, "serverCertificate"], `is required with ${mode} (or a credentialName)`);
    if (pair.privateKey === "")
      report([...path, "privateKey"], `is required with ${mode} (or a credentialName)`);
  }
}

function checkRevocation(
  tls: Pick<Fields, "mode" | "credentialName" | "credentialNames" | "caCrl">,
  report: Report,
): void {
  if (tls.caCrl === "") return;
  const named = tls.credentialName !== "" || tls.credentialNames !== undefined;
  if (tls.mode === "SIMPLE" && !named)
    report(["caCrl"], "must not be set with SIMPLE: no client certificate is asked for");
  if (tls.mode === "PASSTHROUGH" && tls.credentialName !== "")
    report(["caCrl"], "must not be together with credentialName: the Secret has a ca.crl of its own");
}

function isSaid(value: string | boolean | readonly unknown[] | undefined): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== "" && value !== false;
}

function toServerTls(tls: Fields): ServerTls {
  const { credentialName, credentialNames = credentialName === "" ? [] : [credentialName] } = tls;
  const files = tls.serverCertificate !== "" || tls.privateKey !== "";
  const single = { serverCertificate: tls.serverCertificate, privateKey: tls.privateKey, caCertificates: "" };
  return {
    httpsRedirect: tls.httpsRedirect,
    mode: tls.mode,
    certificates: tls.tlsCertificates ?? (files ? [single] : []),
    caCertificates: tls.caCertificates,
    caCrl: tls.caCrl,
    credentialNames,
    caCertCredentialName: tls.caCertCredentialName,
    subjectAltNames: tls.subjectAltNames,
    verifyCertificateSpki: tls.verifyCertificateSpki,
    verifyCertificateHash: tls.verifyCertificateHash,
    minProtocolVersion: versionOf(tls.minProtocolVersion),
    maxProtocolVersion: versionOf(tls.maxProtocolVersion),
    cipherSuites: knownCipherSuites(tls.cipherSuites),
    ecdhCurves: tls.ecdhCurves,
    insecureSkipVerify: tls.insecureSkipVerify,
  };
}

function versionOf(version: (typeof VERSIONS)[number]): TlsVersion | undefined {
  return version === "TLS_AUTO" ? undefined : version;
}
