import { generateKeyPairSync } from "node:crypto";
import { SAN_DNS, SAN_URI } from "../../mesh/identity/certificate-facts.ts";
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
  /** A client with names of several kinds. */
  named: mint({
    issuer: root,
    commonName: "named",
    sans: [
      { tag: SAN_URI, value: "spiffe://elsewhere.test/named" },
      { tag: SAN_DNS, value: "named.test" },
      { tag: SAN_DNS, value: "also.test" },
    ],
  }),
  stranger: mintRoot("stranger"),
  caller: mintSvid(root, "spiffe://cluster.local/ns/default/sa/caller"),
  mesh: mintSvid(root, "spiffe://cluster.local/ns/default/sa/mesh"),
} as const;
