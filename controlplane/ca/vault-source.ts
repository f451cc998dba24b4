import { createPublicKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent, request } from "undici";
import * as z from "zod";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { OID, readCertificateFacts } from "../../mesh/identity/certificate-facts.ts";
import { derToPem } from "../../mesh/identity/pem.ts";
import type { CaSource, NewCa } from "./ca-source.ts";
import { signCaRequest } from "./certificate-template.ts";
import { signatureAlgorithmOf } from "./signature-algorithm.ts";

export interface VaultOptions {
  /** `https://vault.example:8200`. */
  readonly address: string;
  /** Re-read before each use: tokens are renewed by others. */
  readonly tokenFile: string;
  /** Where the PKI secrets engine is mounted; it has the root, or a CA below one. */
  readonly mount: string;
  /** Enterprise namespace. */
  readonly namespace?: string | undefined;
  /** PEM: who signed Vault's own certificate. */
  readonly caFile?: string | undefined;
  readonly trustDomain: string;
  readonly ownsRoots: boolean;
}

const TTL = "720h";
const TIMEOUT_MS = 30_000;
const LARGEST_ANSWER = 1 << 20;

const answer = z.object({
  data: z.object({
    certificate: z.string(),
    issuing_ca: z.string(),
    ca_chain: z.array(z.string()).nullish(),
  }),
});
const refusal = z.object({ errors: z.array(z.string()) });

/**
 * A root in Vault's PKI engine: it signs the CAs that sign leaves (`root/sign-intermediate`), for 30 days each and for this
 * trust domain alone. Their keys are made here. Vault may be away between these times.
 */
export function vaultSource(options: VaultOptions): CaSource {
  const { ownsRoots } = options;
  return { kind: "vault", makesKeys: true, ownsRoots, next: (signal) => nextCa(options, signal) };
}

async function nextCa(options: VaultOptions, signal: AbortSignal): Promise<NewCa> {
  const { mount, trustDomain } = options;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const algorithm = signatureAlgorithmOf(privateKey);
  const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const csr = signCaRequest({ trustDomain, publicKeyDer }, algorithm, (bytes) =>
    sign(algorithm.hash, bytes, privateKey),
  );
  const { data } = await post(options, `/v1/${mount}/root/sign-intermediate`, signal, {
    csr: derToPem(csr, "CERTIFICATE REQUEST"),
    // Subject, names and the name constraint are taken from the request.
    use_csr_values: true,
    format: "pem",
    max_path_length: 0,
    ttl: TTL,
  });
  const above = [...new Set([data.issuing_ca, ...(data.ca_chain ?? [])].map(normalized))];
  const certificate = normalized(data.certificate);
  assertConstrained(certificate);
  const roots = above.filter(isSelfSigned);
  if (roots.length === 0) {
    throw unusable("its chain ends at no self-signed root", "import the root into the mount's chain");
  }
  return {
    certificate,
    intermediates: above.filter((pem) => pem !== certificate && !isSelfSigned(pem)),
    roots,
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

async function post(
  options: VaultOptions,
  path: string,
  signal: AbortSignal,
  body: unknown,
): Promise<z.output<typeof answer>> {
  const { address, namespace } = options;
  const token = (await readText(options.tokenFile)).trim();
  const ca = options.caFile === undefined ? undefined : await readText(options.caFile);
  const dispatcher = new Agent({ maxResponseSize: LARGEST_ANSWER, connect: ca === undefined ? {} : { ca } });
  let status: number;
  let text: string;
  try {
    const response = await request(`${address.replace(/\/+$/, "")}${path}`, {
      method: "POST",
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        "content-type": "application/json",
        "x-vault-token": token,
        "x-vault-request": "true",
        ...(namespace === undefined ? {} : { "x-vault-namespace": namespace }),
      },
      body: JSON.stringify(body),
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (cause) {
    throw new MeshError("ca.unavailable", `ask Vault at ${address} for a CA: ${messageOf(cause)}`, {
      cause,
      hint: "is it there and unsealed? what is issued already stays good meanwhile",
    });
  } finally {
    await dispatcher.destroy();
  }
  if (status !== 200) throw refused(address, status, text);
  const parsed = answer.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw unusable("its answer is not that of a PKI engine", "ca.vault.mount must name one");
}

/** Vault says why in `errors`. */
function refused(address: string, status: number, text: string): MeshError {
  const said = refusal.safeParse(parseJson(text));
  const why = said.success ? said.data.errors.join("; ").slice(0, 500) : "";
  return new MeshError(
    "ca.unavailable",
    `ask Vault at ${address} for a CA: it answered ${status} ${why}`.trim(),
    {
      hint: "the token in ca.vault.tokenFile needs `update` on <mount>/root/sign-intermediate",
    },
  );
}

/** Without it, whoever got this CA's key could speak for every trust domain under the root. */
function assertConstrained(pem: string): void {
  const { extensions } = readCertificateFacts(new X509Certificate(pem).raw);
  if (extensions.has(OID.nameConstraints)) return;
  throw unusable(
    "the CA that it signed has no name constraint",
    "the engine must take extensions from the request (use_csr_values)",
  );
}

function isSelfSigned(pem: string): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

/** As Node writes it, so that equal ones are equal texts. */
function normalized(pem: string): string {
  try {
    return new X509Certificate(pem).toString();
  } catch (cause) {
    throw unusable("it answered what is no certificate", "look at Vault's log", cause);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new MeshError("config.invalid", `read ${path}`, { cause, hint: "see ca.vault in docs/config.md" });
  });
}

function unusable(why: string, hint: string, cause?: unknown): MeshError {
  return new MeshError("config.invalid", `use the CA from Vault: ${why}`, { hint, cause });
}
