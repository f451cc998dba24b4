import { MeshError } from "../errors.ts";

export type PemLabel = "CERTIFICATE" | "CERTIFICATE REQUEST" | "PUBLIC KEY" | "X509 CRL";

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----/g;
/** More certificates than any chain of ours has: what is longer is not a chain. */
const MAX_CHAIN = 32;

/** The certificates of a PEM text, one PEM each, in their order. Text around them is left out. */
export function splitPemChain(pem: string): readonly string[] {
  const found = pem.match(CERTIFICATES) ?? [];
  if (found.length > MAX_CHAIN) {
    throw new MeshError("identity.invalid", `read a certificate chain of ${found.length} certificates`, {
      hint: `at most ${MAX_CHAIN} are accepted`,
    });
  }
  return found.map((certificate) => `${certificate}\n`);
}

/** The blocks with this label, one PEM each, in their order. */
export function splitPem(pem: string, label: PemLabel): readonly string[] {
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  return pem
    .split(begin)
    .slice(1)
    .map((rest) => `${begin}${rest.slice(0, rest.indexOf(end))}${end}\n`);
}

/** One PEM text from certificates, each beginning on a line of its own. */
export function joinPemChain(certificates: readonly string[]): string {
  return certificates.map((certificate) => `${certificate.trim()}\n`).join("");
}

/** RFC 7468: base64 in lines of 64. */
export function derToPem(der: Uint8Array, label: PemLabel): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += 64) lines.push(base64.slice(at, at + 64));
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The bytes of a text that is one PEM block with this label and nothing else. Throws `identity.invalid`. */
export function pemToDer(pem: string, label: PemLabel): Buffer {
  const text = pem.trim();
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const body = text.slice(begin.length, -end.length);
  if (!text.startsWith(begin) || !text.endsWith(end) || !/^[A-Za-z0-9+/=\s]+$/.test(body)) {
    throw new MeshError("identity.invalid", `read a PEM block labelled ${label}`, {
      hint: `send exactly one block between ${begin} and ${end}`,
    });
  }
  return Buffer.from(body, "base64");
}
