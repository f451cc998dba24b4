import * as z from "zod";

/** `join` of agent.yaml: how the host proves itself without a join token. */
export const joinSchema = z.strictObject({
  method: z.enum(["nomad-jwt", "consul-token", "x509-pop", "ssh-pop", "aws-iid", "gcp-iit", "azure-imds"]),
  trustDomain: z.string().default("cluster.local"),
  /** SHA-256 of the mesh's CA key, which the server's log has when it is ready: the server is known by it. */
  caPin: z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be the base64url of a SHA-256"),
  /** For nomad-jwt and consul-token: where the secret is, `file:PATH` or `env:NAME`. */
  from: z
    .string()
    .regex(/^(file|env):.+$/, "must be file:PATH or env:NAME")
    .optional(),
  /** For consul-token: the services of this host, each a service account. */
  services: z.array(z.string()).default([]),
  /** For x509-pop and ssh-pop. */
  certificate: z.string().optional(),
  key: z.string().optional(),
  /** For gcp-iit. Default: the trust domain. */
  audience: z.string().optional(),
  /** Of the cloud. */
  metadata: z.url().optional(),
});

export type JoinConfig = z.output<typeof joinSchema>;
