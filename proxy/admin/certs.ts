import { X509Certificate } from "node:crypto";
import { splitPemChain } from "../../mesh/identity/pem.ts";
import type { JsonValue } from "../../mesh/xds/json.ts";

/** Certificates that are in use, by the name of their secret. PEM, one or several. */
export interface ShownCertificate {
  readonly name: string;
  readonly use: "ca_cert" | "cert_chain";
  readonly pem: string;
}

const DAY_MS = 86_400_000;

/** Envoy's `/certs` (envoy.admin.v3.Certificates). */
export function certsJson(shown: readonly ShownCertificate[]): JsonValue {
  return {
    certificates: shown.map(({ name, use, pem }) => {
      const details = splitPemChain(pem).map((one) => detailsOf(name, new X509Certificate(one)));
      return { ca_cert: [], cert_chain: [], [use]: details };
    }),
  };
}

function detailsOf(path: string, certificate: X509Certificate): JsonValue {
  const names = (certificate.subjectAltName ?? "").split(", ").filter((name) => name !== "");
  const left = certificate.validToDate.getTime() - Date.now();
  return {
    path,
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: names.map((name) => {
      const [kind = "", ...value] = name.split(":");
      return { [kind.toLowerCase().replace(" ", "_")]: value.join(":") };
    }),
    days_until_expiration: String(Math.max(0, Math.floor(left / DAY_MS))),
    valid_from: certificate.validFromDate.toISOString(),
    expiration_time: certificate.validToDate.toISOString(),
  };
}
