import * as z from "zod";

/** How a Nomad is reached, as server.yaml and agent.yaml say it. */
export const nomadShape = {
  address: z
    .string()
    .regex(
      /^(https?:\/\/[^\s/]+\/?|unix:\/\/\/\S+)$/,
      "must be a URL, as in http://127.0.0.1:4646, or unix:///PATH of a task API's socket",
    )
    .default("http://127.0.0.1:4646"),
  /** Default: that of the agent that is asked. */
  region: z.string().optional(),
  /** Holds an ACL token or a workload identity; re-read before each use. */
  tokenFile: z.string().optional(),
  /** PEM of the CA of Nomad's certificate; the system's unless given. */
  caFile: z.string().optional(),
  /** A client certificate, where Nomad's `verify_https_client` asks for one. */
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  /** What Nomad's certificate is for, as in server.global.nomad; default: the address's host. */
  serverName: z.string().optional(),
};

export type NomadSettings = z.output<z.ZodObject<typeof nomadShape>>;
