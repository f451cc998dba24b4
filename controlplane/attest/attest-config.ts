import * as z from "zod";
import { nomadShape } from "../../mesh/nomad/nomad-settings.ts";

const url = z.url({ protocol: /^https?$/, error: "must be a URL, as in http://127.0.0.1:4646" });
const names = z.array(z.string().min(1));

/** What hosts that come one way may have. Empty: anything. */
const binding = {
  namespace: z.string().default(""),
  serviceAccounts: names.default([]),
};

/** `attest` of server.yaml: a method is allowed when its part is there. */
export const attestSchema = z.strictObject({
  /** Join tokens, from `lateen token create`. */
  joinToken: z.boolean().default(true),
  /** How long after the end of its certificate an agent may come back by its last key. 0: never. */
  returnHours: z.number().min(0).max(8760).default(168),
  /** Workload identities of Nomad. */
  nomad: z
    .strictObject({
      /** Its token has to be one that may read jobs. */
      ...nomadShape,
      /** `aud` of the identity block. */
      audience: z.string().min(1),
      namespace: z.string().default("{nomad_namespace}"),
      serviceAccount: z.string().default("{nomad_job_id}"),
    })
    .optional(),
  /** Consul's ACL tokens. */
  consul: z
    .strictObject({
      address: url.default("http://127.0.0.1:8500"),
      /** Of the workloads. */
      namespace: z.string().default("default"),
    })
    .optional(),
  /** Certificates that hosts have from an authority of their own. */
  x509: z
    .strictObject({
      caFile: z.string(),
      /** What names a host: `dns`, the one DNS name of its certificate, or `fingerprint`. */
      subject: z.enum(["dns", "fingerprint"]).default("dns"),
      ...binding,
    })
    .optional(),
  /** SSH host certificates. */
  ssh: z
    .strictObject({
      /** Public key lines of the authorities that sign host certificates. */
      caFile: z.string(),
      ...binding,
    })
    .optional(),
  /** Identity documents of EC2 instances. */
  aws: z
    .strictObject({
      /** PEM of AWS's certificates for RSA-2048 signatures of the regions. */
      certificateFile: z.string(),
      accounts: names.min(1),
      regions: names.default([]),
      ...binding,
    })
    .optional(),
  /** Identity tokens of Compute Engine instances. */
  gcp: z
    .strictObject({
      audience: z.string().min(1),
      projects: names.min(1),
      keysUrl: url.default("https://www.googleapis.com/oauth2/v3/certs"),
      ...binding,
    })
    .optional(),
  /** Attested documents of Azure's virtual machines. */
  azure: z
    .strictObject({
      /** PEM roots that the metadata service's certificate leads to. */
      caFile: z.string(),
      subscriptions: names.min(1),
      ...binding,
    })
    .optional(),
});

export type AttestConfig = z.output<typeof attestSchema>;
