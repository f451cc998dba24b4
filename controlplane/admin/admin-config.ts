import * as z from "zod";
import { ACCESS_ROLES } from "../../mesh/admin-api/replies.ts";
import { isSafe } from "./access/oidc.ts";
import { namespaceName } from "./fields.ts";

const grant = { role: z.enum(ACCESS_ROLES), namespaces: z.array(namespaceName).min(1).optional() };
const text = z.string().min(1);
const keysUrl = z.string().refine(isSafe, "must be an https URL, or http on loopback");

/** Signature algorithms of JWS (RFC 7518, RFC 8037) with a public key: with a shared secret, who checks could also sign. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** The `admin` section of server.yaml: docs/access.md tells how its parts work together. */
export const adminSection = z
  .strictObject({
    address: z.string().default("127.0.0.1"),
    port: z.number().int().min(0).max(65_535).default(15_015),
    /** Names by which it may be called (`Host`), beside its address. */
    hosts: z.array(z.string().toLowerCase()).default([]),
    tls: z
      .strictObject({
        /** PEM, looked at again each minute. Left out: the server's own certificate of the mesh. */
        certFile: text.optional(),
        keyFile: text.optional(),
        /** Whose client certificates count. */
        clientCaFile: text.optional(),
      })
      .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
        error: "certFile and keyFile go together",
      })
      .prefault({}),
    certificates: z
      .array(z.strictObject({ san: z.string().regex(/^(URI|DNS|email|IP Address):\S+$/), ...grant }))
      .default([]),
    oidc: z
      .strictObject({
        issuer: keysUrl,
        audience: text,
        jwksUri: keysUrl.optional(),
        algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(["RS256", "ES256"]),
        roles: z.array(z.strictObject({ claim: text, value: text, ...grant })).min(1),
      })
      .optional(),
  })
  .prefault({});

export type AdminConfig = z.output<typeof adminSection>;
