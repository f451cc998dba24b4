import * as z from "zod";
import type { CatalogReading } from "./catalog-reading.ts";

/** `http`, `https`, or `unix` with the path of a socket. */
export const consulAddress: z.ZodType<string, string> = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^(https?:\/\/[^/]+\/?$|unix:\/\/\/.)/.test(text),
    "must be like http://127.0.0.1:8500, https://consul.example:8501 or unix:///run/consul.sock",
  );

const tlsShape = {
  /** Who signed Consul's certificate; left out: the authorities that Node knows. */
  caFile: z.string().optional(),
  /** For a Consul that asks for a certificate. */
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** The name in Consul's certificate, where it is not the address's: `server.dc1.consul`. */
  serverName: z.string().optional(),
};

/** How a Consul is reached over TLS: `ConsulTls`. */
export const consulTls: z.ZodPrefault<z.ZodObject<typeof tlsShape, z.core.$strict>> = z
  .strictObject(tlsShape)
  .refine(
    ({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined),
    "must have both certFile and keyFile, or neither",
  )
  .prefault({});

/** `*` is no namespace: each is asked for by its name. */
export const consulName: z.ZodType<string, string> = z
  .string()
  .regex(/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}[A-Za-z0-9_])?$/, "must be the name of one");

const readingShape = {
  /** `wan`, `lan_ipv4`, …: the tagged address that counts; empty: the plain one. */
  taggedAddress: z.string().default(""),
  warnings: z.enum(["healthy", "unhealthy"]).default("healthy"),
  /** Tags begin with it and a dot, metadata with it and a dash. */
  prefix: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,31}$/, "must be a word of letters, digits, “-” and “_”")
    .default("lateen"),
};

/** Keys that server and agent have alike. */
export const readingKeys: typeof readingShape = readingShape;

export function toReading(
  { taggedAddress, warnings, prefix }: z.output<z.ZodObject<typeof readingShape>>,
  optOut: boolean,
): CatalogReading {
  return { taggedAddress, warnings, vocabulary: { prefix, optOut } };
}
