import { generateKeyPairSync } from "node:crypto";
import { SAN_DNS } from "../../mesh/identity/certificate-facts.ts";
import { mint, mintRoot, mintSvid } from "../harness/test-certificates.ts";

const root = mintRoot("wire root");

/** Who is who on the wire. Nobody trusts `stranger`. */
export const CERTIFICATES = {
  root,
  secure: mint({
    issuer: root,
    commonName: "secure",
    sans: [{ tag: SAN_DNS, value: "secure.test" }],
  }),
  /** The same server with a key of another kind. */
  rsa: mint({
    issuer: root,
    sans: [{ tag: SAN_DNS, value: "secure.test" }],
    key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  }),
  client: mint({ issuer: root, commonName: "client" }),
  stranger: mintRoot("stranger"),
  caller: mintSvid(root, "spiffe://cluster.local/ns/default/sa/caller"),
  mesh: mintSvid(root, "spiffe://cluster.local/ns/default/sa/mesh"),
} as const;
