import { createPrivateKey } from "node:crypto";
import { pemToDer, splitPemChain } from "../../mesh/identity/pem.ts";
import type { TrustBundle } from "../../mesh/identity/trust-bundle.ts";
import type { X509Svid } from "../../mesh/identity/x509-svid.ts";
import type { X509BundlesResponse, X509SVIDResponse } from "../../mesh/xds/gen/spiffe/workload/workload.ts";

/** SVIDs as the Workload API sends them: DER, chains and roots one after the other. */
export function toSvidResponse(svids: readonly X509Svid[], bundle: TrustBundle): X509SVIDResponse {
  const roots = rootsOf(bundle);
  return {
    svids: svids.map(({ spiffeId, chainPem, keyPem }) => ({
      spiffeId,
      x509Svid: concatenated(splitPemChain(chainPem)),
      x509SvidKey: createPrivateKey(keyPem).export({ type: "pkcs8", format: "der" }),
      bundle: roots,
      hint: "",
    })),
    crl: [],
    federatedBundles: {},
  };
}

export function toBundlesResponse(bundle: TrustBundle): X509BundlesResponse {
  return { crl: [], bundles: { [`spiffe://${bundle.trustDomain}`]: rootsOf(bundle) } };
}

function rootsOf({ roots }: TrustBundle): Buffer {
  return concatenated(roots.flatMap((root) => splitPemChain(root)));
}

function concatenated(certificates: readonly string[]): Buffer {
  return Buffer.concat(certificates.map((pem) => pemToDer(pem, "CERTIFICATE")));
}
