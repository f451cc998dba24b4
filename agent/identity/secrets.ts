import { createHash } from "node:crypto";
import { joinPemChain } from "../../mesh/identity/pem.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import { Secret } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../mesh/xds/names.ts";
import type { SecretSource } from "../relay/secret-lane.ts";
import type { TrustBundleWatch } from "./trust-bundle.ts";
import type { WorkloadSvids } from "./workload-svids.ts";

type EncodedSecret = NonNullable<ReturnType<SecretSource["secret"]>>;

/** Secrets out of what the agent holds: `default` is the workload's SVID with its key, `ROOTCA` the mesh's roots. */
export function workloadSecrets(
  svids: Pick<WorkloadSvids, "current" | "changes" | "ids">,
  bundle: Pick<TrustBundleWatch, "current" | "changes">,
): SecretSource {
  return {
    secret: (workload, name) => {
      if (name === TRUST_BUNDLE_SECRET) return trustBundleSecret(bundle.current, name);
      const svid = name === SVID_SECRET ? svids.current(workload) : undefined;
      return svid && svidSecret(svid, name);
    },
    onChange: (listener, signal) => {
      const stops = [
        svids.changes.subscribe(listener),
        bundle.changes.subscribe(() => {
          for (const workload of svids.ids()) listener(workload);
        }),
      ];
      signal.addEventListener("abort", () => {
        for (const stop of stops) stop();
      });
    },
  };
}

/** Certificate chain and key, inline: they go over the unix socket and are in no file that the data plane reads. */
export function svidSecret(svid: X509Svid, name: string): EncodedSecret {
  const secret = Secret.fromPartial({
    name,
    tlsCertificate: {
      certificateChain: { inlineString: svid.chainPem },
      privateKey: { inlineString: svid.keyPem },
    },
  });
  return { version: svid.serial, bytes: Secret.encode(secret).finish() };
}

/**
 * The roots that peers are verified against. Who is banned goes along with who is trusted: Envoy refuses a leaf that is on a
 * list, and ours does the same.
 */
export function trustBundleSecret(bundle: TrustBundle, name: string): EncodedSecret {
  const roots = joinPemChain(bundle.roots);
  const lists = bundle.crls.join("");
  const revocation = { crl: { inlineString: lists }, onlyVerifyLeafCertCrl: true };
  const secret = Secret.fromPartial({
    name,
    validationContext: { trustedCa: { inlineString: roots }, ...(lists === "" ? {} : revocation) },
  });
  const version = createHash("sha256").update(roots).update(lists).digest("hex").slice(0, 16);
  return { version, bytes: Secret.encode(secret).finish() };
}
