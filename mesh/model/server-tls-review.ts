import { didYouMean } from "../spelling/closest.ts";
import { quoted } from "./finding.ts";
import { isFields } from "./plain-data.ts";
import { writtenField, writtenList } from "./schema-notice.ts";
import type { Report } from "./schema-rule.ts";

/** Those of BoringSSL in its OpenSSL names, without pre-shared keys; TLS 1.3's cannot be chosen. */
const CIPHER_SUITES: readonly string[] = [
  ...["GCM-SHA256", "SHA"].flatMap((end) => [`ECDHE-ECDSA-AES128-${end}`, `ECDHE-RSA-AES128-${end}`]),
  ...["GCM-SHA384", "SHA"].flatMap((end) => [`ECDHE-ECDSA-AES256-${end}`, `ECDHE-RSA-AES256-${end}`]),
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
  "DES-CBC3-SHA",
];

const CURVES: readonly string[] = [
  "P-224",
  "P-256",
  "P-384",
  "P-521",
  "X25519",
  "X25519MLKEM768",
  "X25519Kyber768Draft00",
];

const CERTIFICATE_FIELDS: readonly string[] = [
  "serverCertificate",
  "privateKey",
  "caCertificates",
  "caCrl",
  "credentialName",
  "credentialNames",
  "tlsCertificates",
];

/** A suite, `ALL`, or an expression of several that begins with an operator, which only BoringSSL can judge. */
function isKnownCipherSuite(suite: string): boolean {
  return suite === "" || suite === "ALL" || !/^[\p{L}\p{N}]/u.test(suite) || CIPHER_SUITES.includes(suite);
}

/** What Istio accepts in ServerTLSSettings and yet warns about. */
export function reviewServerTls(tls: unknown, warn: Report): void {
  if (!isFields(tls)) return;
  reviewTlsLimits(tls, warn);
  const old = tls["minProtocolVersion"] === "TLSV1_0" || tls["minProtocolVersion"] === "TLSV1_1";
  if (old && isBlank(tls["cipherSuites"]))
    warn(["minProtocolVersion"], "needs cipherSuites too: by default none works below TLS 1.2");
  for (const [index, certificate] of writtenList(tls, "tlsCertificates").entries()) {
    if (!isBlank(writtenField(certificate, "caCertificates")))
      warn(
        ["tlsCertificates", index, "caCertificates"],
        "is not used: clients are verified by the caCertificates beside the list",
      );
  }
  const mode = tls["mode"] ?? "PASSTHROUGH";
  if (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") {
    for (const field of CERTIFICATE_FIELDS) {
      if (!isBlank(tls[field])) warn([field], `is not used with ${mode}: TLS is passed on as it is`);
    }
  } else if (!isBlank(tls["caCrl"]) && !(isBlank(tls["credentialName"]) && isBlank(tls["credentialNames"])))
    warn(["caCrl"], "is not used with a credential: put the list into the Secret as ca.crl");
}

/** Warns about suites and curves that BoringSSL does not have, and about repeated ones. */
export function reviewTlsLimits(tls: unknown, warn: Report): void {
  if (!isFields(tls)) return;
  reviewNames(
    tls["cipherSuites"],
    (suite) => isKnownCipherSuite(suite),
    CIPHER_SUITES,
    (index, what) => warn(["cipherSuites", index], `${what} and is ignored`),
  );
  reviewNames(
    tls["ecdhCurves"],
    (curve) => curve === "" || CURVES.includes(curve),
    CURVES,
    (index, what) => warn(["ecdhCurves", index], what),
  );
}

/** Those that are known, each once. */
export function knownCipherSuites(suites: readonly string[]): readonly string[] {
  return [...new Set(suites.filter((suite) => suite !== "" && isKnownCipherSuite(suite)))];
}

function reviewNames(
  names: unknown,
  isKnown: (name: string) => boolean,
  known: readonly string[],
  tell: (index: number, what: string) => void,
): void {
  if (!Array.isArray(names)) return;
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (typeof name !== "string") continue;
    if (!isKnown(name)) tell(index, `${quoted(name)} is unknown${didYouMean(name, known)}`);
    else if (seen.has(name)) tell(index, `${quoted(name)} is there a second time`);
    seen.add(name);
  }
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}
