import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { splitPemChain } from "../../mesh/identity/pem.ts";
import type { CaSource, NewCa } from "./ca-source.ts";

/**
 * A CA that somebody else made, in a folder with the file names of Istio's secret `cacerts`: `ca-cert.pem` and
 * `ca-key.pem` sign, `cert-chain.pem` leads to the root, `root-cert.pem` is what peers trust. With the root of an Istio
 * cluster, its workloads and these hosts authenticate each other. P-256, P-384 or RSA.
 */
export function cacertsSource(directory: string, ownsRoots: boolean): CaSource {
  return {
    kind: "cacerts",
    makesKeys: false,
    ownsRoots,
    next: () => readCacerts(directory),
  };
}

async function readCacerts(directory: string): Promise<NewCa> {
  const path = (name: string): string => join(directory, name);
  const [certificate, key, chain, roots] = await Promise.all([
    readCertificates(path("ca-cert.pem")),
    readText(path("ca-key.pem")),
    readCertificates(path("cert-chain.pem")),
    readCertificates(path("root-cert.pem")),
  ]);
  const [issuing] = certificate;
  if (issuing === undefined || roots.length === 0) throw unusable(directory, "it has no certificate");
  const intermediates = chain.filter((pem) => pem !== issuing && !roots.includes(pem));
  assertPath([issuing, ...intermediates], roots, directory);
  return { certificate: issuing, intermediates, roots, keyPem: toPkcs8(key, path("ca-key.pem")) };
}

/** Each signed by the next and the last by a root: peers would refuse whatever such a CA signs. */
function assertPath(path: readonly string[], roots: readonly string[], directory: string): void {
  const certificates = path.map((pem) => new X509Certificate(pem));
  for (const [index, certificate] of certificates.entries()) {
    const issuers = certificates[index + 1]
      ? [certificates[index + 1]]
      : roots.map((pem) => new X509Certificate(pem));
    const signed = issuers.some(
      (issuer) => issuer && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
    );
    if (!signed)
      throw unusable(directory, `nothing in it signed ${certificate.subject.replaceAll("\n", ", ")}`);
  }
}

async function readCertificates(path: string): Promise<readonly string[]> {
  try {
    return splitPemChain(await readText(path)).map((pem) => new X509Certificate(pem).toString());
  } catch (cause) {
    if (cause instanceof MeshError && cause.code === "config.invalid") throw cause;
    throw unusable(path, "it is no certificate", cause);
  }
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw unusable(path, "it cannot be read", cause);
  });
}

function toPkcs8(text: string, path: string): string {
  try {
    return createPrivateKey(text).export({ type: "pkcs8", format: "pem" }).toString();
  } catch (cause) {
    throw unusable(path, "it is no private key", cause);
  }
}

function unusable(path: string, why: string, cause?: unknown): MeshError {
  return new MeshError("config.invalid", `read the plugged-in CA ${path}: ${why}`, {
    cause,
    hint: "ca.cacertsDir needs ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem, as Istio's secret cacerts has them",
  });
}
