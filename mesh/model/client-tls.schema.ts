import { z } from "zod";
import type { ClientTls } from "./destination-rule.ts";
import { flag, optionalText, text } from "./scalars.schema.ts";
import { notYet, refused } from "./schema-notice.ts";
import { rule } from "./schema-rule.ts";

/** What ISTIO_MUTUAL takes from the workload's own identity. */
const FILES = ["clientCertificate", "privateKey", "caCertificates"] as const;

/** ClientTLSSettings. */
export const clientTls: z.ZodType<ClientTls> = z
  .object({
    mode: z.enum(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]).default("DISABLE"),
    sni: optionalText,
    subjectAltNames: z.array(text).default([]),
    clientCertificate: optionalText,
    privateKey: optionalText,
    caCertificates: optionalText,
    insecureSkipVerify: flag,
    credentialName: refused("would call the peer with other credentials than asked for"),
    caCrl: notYet(text.optional()),
  })
  .check(
    rule(["mode", ...FILES], (tls, report) => {
      for (const file of FILES) {
        if (tls.mode === "ISTIO_MUTUAL" && tls[file] !== "")
          report([file], "must not be set with ISTIO_MUTUAL: the workload's own identity is used");
        if (tls.mode === "MUTUAL" && file !== "caCertificates" && tls[file] === "")
          report([file], "is required with MUTUAL");
      }
    }),
    rule(["insecureSkipVerify", "caCertificates", "subjectAltNames"], (tls, report) => {
      if (tls.insecureSkipVerify && (tls.caCertificates !== "" || tls.subjectAltNames.length > 0))
        report(["insecureSkipVerify"], "must not be together with caCertificates or subjectAltNames");
    }),
  )
  .transform((tls) => ({
    mode: tls.mode,
    sni: tls.sni,
    subjectAltNames: tls.subjectAltNames,
    clientCertificate: tls.clientCertificate,
    privateKey: tls.privateKey,
    caCertificates: tls.caCertificates,
    insecureSkipVerify: tls.insecureSkipVerify,
  }));
