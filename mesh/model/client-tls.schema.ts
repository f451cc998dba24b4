import * as z from "zod";
import type { ClientTls } from "./destination-rule.ts";
import { flag, optionalText, text, textOrNone } from "./scalars.schema.ts";
import { withReview, writtenField } from "./schema-notice.ts";
import { type Report, rule } from "./schema-rule.ts";

const FILES = ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const;
/** What ISTIO_MUTUAL takes from the workload's own identity. */
const OWN_IDENTITY: readonly string[] = [...FILES, "credentialName"];

const credentialName = textOrNone(
  (name) => !name.startsWith("configmap://"),
  "the name of a Secret: certificates from a ConfigMap are not supported yet",
);

/** ClientTLSSettings. */
export const clientTls: z.ZodType<ClientTls> = withReview(
  z
    .object({
      mode: z.enum(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]).default("DISABLE"),
      sni: optionalText,
      subjectAltNames: z.array(text).default([]),
      clientCertificate: optionalText,
      privateKey: optionalText,
      caCertificates: optionalText,
      caCrl: optionalText,
      credentialName,
      insecureSkipVerify: flag,
    })
    .check(
      rule(["mode", "credentialName", ...FILES], (tls, report) => {
        if (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL") return;
        for (const file of FILES) {
          if (tls.credentialName !== "" && tls[file] !== "")
            report([file], "must not be together with credentialName");
        }
        for (const file of ["clientCertificate", "privateKey"] as const) {
          if (tls.mode === "MUTUAL" && tls.credentialName === "" && tls[file] === "")
            report([file], "is required with MUTUAL (or a credentialName)");
        }
      }),
      rule(
        ["mode", "insecureSkipVerify", "caCertificates", "credentialName", "subjectAltNames"],
        (tls, report) => {
          if (!tls.insecureSkipVerify) return;
          if (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL") return;
          const contradicts =
            tls.caCertificates !== "" ||
            tls.subjectAltNames.length > 0 ||
            (tls.mode === "SIMPLE" && tls.credentialName !== "");
          if (contradicts)
            report(["insecureSkipVerify"], "must not be together with what a server would be verified by");
        },
      ),
    )
    .transform((tls) => {
      const own = tls.mode === "ISTIO_MUTUAL";
      return {
        mode: tls.mode,
        sni: tls.sni,
        subjectAltNames: tls.subjectAltNames,
        clientCertificate: own ? "" : tls.clientCertificate,
        privateKey: own ? "" : tls.privateKey,
        caCertificates: own ? "" : tls.caCertificates,
        caCrl: own ? "" : tls.caCrl,
        credentialName: own ? "" : tls.credentialName,
        insecureSkipVerify: tls.insecureSkipVerify,
      };
    }),
  ignoredWithOwnIdentity,
);

function ignoredWithOwnIdentity(tls: unknown, warn: Report): void {
  if (writtenField(tls, "mode") !== "ISTIO_MUTUAL") return;
  for (const field of OWN_IDENTITY) {
    if (writtenField(tls, field) !== undefined)
      warn([field], "does nothing with ISTIO_MUTUAL: the workload's own identity is used");
  }
}
