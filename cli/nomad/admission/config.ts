import * as z from "zod";
import { type ConfigSources, loadConfig } from "../../../mesh/config/load-config.ts";
import { sidecarSettingsSchema } from "../inject/settings.ts";
import { rulesSchema } from "../policy/policy.ts";

const SOCKET = "unix://";
const listenAddress = z
  .string()
  .regex(/^(unix:\/\/\/.+|(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5})$/, "must be host:port or unix:///path");
const nomadAddress = z
  .string()
  .regex(/^(https?:\/\/[^\s/]+\/?|unix:\/\/\/.+)$/, "must be http://…, https://… or unix:///path");

const schema = z.strictObject({
  /** Where clients find what they take for Nomad. */
  listen: z
    .strictObject({
      address: listenAddress.default("127.0.0.1:4645"),
      /** PEM of the certificate, leaf first, and its key: TLS. Left out: none, for loopback and a socket. */
      certFile: z.string().optional(),
      keyFile: z.string().optional(),
      /** PEM of the authorities of client certificates; with it a client must have one. */
      clientCaFile: z.string().optional(),
    })
    .prefault({})
    .refine(
      ({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined),
      "certFile and keyFile go together",
    )
    .refine(
      ({ certFile, clientCaFile }) => clientCaFile === undefined || certFile !== undefined,
      "clientCaFile needs certFile and keyFile",
    ),
  /** Nomad's HTTP API. Tokens are the clients' own. */
  nomad: z
    .strictObject({
      address: nomadAddress.default("http://127.0.0.1:4646"),
      /** PEM of the authority of its certificate; the system's unless given. */
      caFile: z.string().optional(),
      /** PEM of a client certificate and its key, where Nomad asks for one (`verify_https_client`). */
      certFile: z.string().optional(),
      keyFile: z.string().optional(),
      /** The name in its certificate, as in `server.global.nomad`. Default: the host of its address. */
      serverName: z.string().optional(),
    })
    .prefault({})
    .refine(
      ({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined),
      "certFile and keyFile go together",
    ),
  sidecar: sidecarSettingsSchema.prefault({}),
  rules: rulesSchema,
  limits: z
    .strictObject({
      /** Connections of clients, streams included. */
      connections: z.number().int().min(1).max(100_000).default(1_024),
      /** Largest job, as JSON. */
      jobBytes: z
        .number()
        .int()
        .min(1_024)
        .max(64 << 20)
        .default(8 << 20),
      /** Jobs that are judged at the same time; more are told to come back. */
      jobs: z.number().int().min(1).max(1_000).default(16),
      /** How long a client may take to send a job. */
      jobSeconds: z.number().min(1).max(600).default(30),
      /** How long Nomad may take to answer a job. */
      answerSeconds: z.number().min(1).max(600).default(60),
    })
    .prefault({}),
  /** How long open requests may go on when the program is told to end. */
  drainSeconds: z.number().min(0).max(600).default(10),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export type AdmissionConfig = z.output<typeof schema>;

/** Throws `config.invalid` with every violation. */
export function loadAdmissionConfig(sources: Omit<ConfigSources, "prefix">): AdmissionConfig {
  return loadConfig<AdmissionConfig>(schema, { ...sources, prefix: "LATEEN_NOMAD" });
}

/** The path of a `unix://` address; undefined for others. */
export function socketPath(address: string): string | undefined {
  return address.startsWith(SOCKET) ? address.slice(SOCKET.length) : undefined;
}
