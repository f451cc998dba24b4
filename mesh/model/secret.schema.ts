import * as z from "zod";
import { closest } from "../spelling/closest.ts";
import { quoted } from "./finding.ts";
import { eachEntry } from "./labels.schema.ts";
import { type Fields, isFields } from "./plain-data.ts";
import { withReview } from "./schema-notice.ts";
import { type Report, rule } from "./schema-rule.ts";
import type { SecretSpec } from "./secret.ts";
import { certificateProblem, crlProblem, privateKeyProblem } from "./secret-pem.ts";
import { REDACTED } from "./secret-redaction.ts";

/** Each part under the name that `kubernetes.io/tls` has for it, and the shorter one of Istio's Opaque Secrets. */
const KEYS: Readonly<Record<keyof SecretSpec, readonly [string, string]>> = {
  certificateChain: ["tls.crt", "cert"],
  privateKey: ["tls.key", "key"],
  roots: ["ca.crt", "cacert"],
  crl: ["ca.crl", "crl"],
};
const KNOWN_KEYS: readonly string[] = Object.values(KEYS).flat();

const TYPES = ["Opaque", "kubernetes.io/tls"] as const;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** No message of this file may quote what it is about. */
const NOT_TEXT = "must be a string";

const data = withReview(
  z
    .record(z.string(), z.string({ error: NOT_TEXT }))
    .check(eachEntry((_key, value) => base64Problem(value)))
    .default({}),
  reviewKeys,
);

const stringData = withReview(
  z
    .record(z.string(), z.string({ error: NOT_TEXT }))
    .check(eachEntry((_key, value) => (value === REDACTED ? redactedProblem() : undefined)))
    .default({}),
  reviewKeys,
);

/** Why a Secret holds no credential of the mesh's: folders for Kubernetes have passwords and tokens beside. */
export function notOurSecret({ type = "Opaque", data, stringData }: Fields): string | undefined {
  if (typeof type === "string" && closest(type, TYPES) === undefined)
    return `Secret of type ${quoted(type)} is not the mesh's: passed over`;
  const keys = [data, stringData].flatMap((part) => (isFields(part) ? Object.keys(part) : []));
  if (type !== "Opaque" || keys.length === 0 || keys.some((key) => KNOWN_KEYS.includes(key)))
    return undefined;
  return `Secret has none of ${KNOWN_KEYS.join(", ")}: it is not the mesh's and passed over`;
}

/** A Secret without its metadata: a certificate with its key, roots, or both. */
export const secretSpec: z.ZodType<SecretSpec> = z
  .object({
    type: z.enum(TYPES).default("Opaque"),
    data,
    stringData,
    immutable: z.boolean().optional(),
  })
  .check(rule(["type", "data", "stringData"], checkSecret))
  .transform(({ data, stringData }) => {
    const { certificateChain, privateKey, roots, crl } = partsOf({ data, stringData });
    return {
      certificateChain: certificateChain.pem,
      privateKey: privateKey.pem,
      roots: roots.pem,
      crl: crl.pem,
    };
  });

interface Written {
  readonly data: Readonly<Record<string, string>>;
  readonly stringData: Readonly<Record<string, string>>;
}

/** What is under one of a part's names, and where; the path is that of its first name when there is nothing. */
interface Part {
  readonly pem: string;
  readonly path: readonly [string, string];
}

function checkSecret(secret: Written & { readonly type: string }, report: Report): void {
  const { certificateChain, privateKey, roots, crl } = partsOf(secret);
  const tell = ({ path }: Part, problem: string | undefined): void => {
    if (problem !== undefined) report(path, problem);
  };
  const pair = certificateChain.pem !== "" || privateKey.pem !== "";
  if (pair || secret.type === "kubernetes.io/tls") {
    const required = certificateChain.pem === "" || privateKey.pem === "";
    if (certificateChain.pem === "") tell(certificateChain, "is required: the certificate chain, leaf first");
    if (privateKey.pem === "") tell(privateKey, "is required: the certificate's private key");
    if (certificateChain.pem !== "") tell(certificateChain, certificateProblem(certificateChain.pem));
    if (privateKey.pem !== "")
      tell(privateKey, privateKeyProblem(privateKey.pem, required ? undefined : certificateChain.pem));
  } else if (roots.pem === "") {
    report(["data"], "must have a certificate with its key (tls.crt and tls.key) or roots (ca.crt)");
  }
  if (roots.pem !== "") tell(roots, certificateProblem(roots.pem));
  if (crl.pem !== "") tell(crl, crlProblem(crl.pem));
}

function partsOf(secret: Written): Readonly<Record<keyof SecretSpec, Part>> {
  return {
    certificateChain: partOf(secret, KEYS.certificateChain),
    privateKey: partOf(secret, KEYS.privateKey),
    roots: partOf(secret, KEYS.roots),
    crl: partOf(secret, KEYS.crl),
  };
}

/** `stringData` wins over `data`, as in Kubernetes. */
function partOf({ data, stringData }: Written, names: readonly [string, string]): Part {
  for (const name of names) {
    const text = stringData[name];
    if (text !== undefined && text !== "") return { pem: text, path: ["stringData", name] };
    const encoded = data[name];
    if (encoded !== undefined && encoded !== "")
      return { pem: Buffer.from(encoded, "base64").toString(), path: ["data", name] };
  }
  return { pem: "", path: ["data", names[0]] };
}

function base64Problem(value: string): string | undefined {
  if (value === REDACTED) return redactedProblem();
  return BASE64.test(value.replaceAll(/\s/g, ""))
    ? undefined
    : "is not base64: put plain text under stringData";
}

function redactedProblem(): string {
  return "is what Lateen prints in a secret's place: apply the file that has the secret itself";
}

function reviewKeys(map: unknown, warn: Report): void {
  if (!isFields(map)) return;
  for (const key of Object.keys(map)) {
    if (!KNOWN_KEYS.includes(key)) warn([key], `is not read: the keys are ${KNOWN_KEYS.join(", ")}`);
  }
}
