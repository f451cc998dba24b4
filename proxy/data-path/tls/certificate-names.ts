import type { X509Certificate } from "node:crypto";
import { readCertificateFacts, SAN_DNS, SAN_URI } from "../../../mesh/identity/certificate-facts.ts";
import type { CertificateName } from "../../model/tls.ts";

/** Whether a certificate is for somebody; its subject does not count, and a DNS name may be a wildcard's. */
export function isFor(certificate: X509Certificate, { kind, name }: CertificateName): boolean {
  switch (kind) {
    case "dns":
      return certificate.checkHost(name, { subject: "never" }) !== undefined;
    case "ip":
      return certificate.checkIP(name) !== undefined;
    case "email":
      return certificate.checkEmail(name, { subject: "never" }) !== undefined;
    case "uri":
      return altNamesOf(certificate).uris.includes(name);
    default:
      return kind satisfies never;
  }
}

export interface AltNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
}

/** From the DER: Node's rendering of alternative names is for people. None where it cannot be read. */
export function altNamesOf(certificate: X509Certificate): AltNames {
  try {
    const { altNames } = readCertificateFacts(certificate.raw);
    const of = (wanted: number): readonly string[] =>
      altNames.flatMap(({ tag, value }) => (tag === wanted ? [value] : []));
    return { uris: of(SAN_URI), dns: of(SAN_DNS) };
  } catch {
    return { uris: [], dns: [] };
  }
}
