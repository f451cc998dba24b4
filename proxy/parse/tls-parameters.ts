import {
  TlsParameters_TlsProtocol as Protocol,
  type TlsParameters,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type { SdsSecretConfig } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import type { MeshTls } from "../model/tls.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { fromAds } from "./values.ts";

/** The name of a secret that ADS delivers. */
export function sdsName(where: string, { name, sdsConfig }: SdsSecretConfig): string {
  fromAds(`${where}: secret "${name}"`, sdsConfig);
  return name;
}

/** Versions, suites and curves that may be negotiated. */
export function parseTlsParameters(
  where: string,
  from: TlsParameters | undefined,
): Pick<MeshTls, "minVersion" | "maxVersion" | "ciphers" | "curves"> {
  if (from) {
    onlyFields(where, from, [
      "tlsMinimumProtocolVersion",
      "tlsMaximumProtocolVersion",
      "cipherSuites",
      "ecdhCurves",
    ]);
  }
  const min = from?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO;
  const max = from?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO;
  if (min === Protocol.TLSv1_0 || min === Protocol.TLSv1_1) throw unsupported(where, "TLS below 1.2");
  return {
    minVersion: min === Protocol.TLSv1_3 ? "TLSv1.3" : "TLSv1.2",
    maxVersion: max === Protocol.TLSv1_2 ? "TLSv1.2" : "TLSv1.3",
    // Envoy groups equally preferred suites as `[A|B]`.
    ciphers: (from?.cipherSuites ?? []).flatMap((suite) => suite.replace(/^\[|\]$/g, "").split("|")),
    curves: from?.ecdhCurves ?? [],
  };
}
