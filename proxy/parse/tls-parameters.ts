import {
  TlsParameters_TlsProtocol as Protocol,
  type TlsParameters,
} from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";
import type { SdsSecretConfig } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import type { TlsParameters as Parameters, TlsVersion } from "../model/tls.ts";
import { onlyFields } from "./refuse.ts";
import { fromAds } from "./values.ts";

/** The name of a secret that ADS delivers. */
export function sdsName(where: string, { name, sdsConfig }: SdsSecretConfig): string {
  fromAds(`${where}: secret "${name}"`, sdsConfig);
  return name;
}

const VERSIONS: ReadonlyMap<Protocol, TlsVersion> = new Map([
  [Protocol.TLSv1_0, "TLSv1"],
  [Protocol.TLSv1_1, "TLSv1.1"],
  [Protocol.TLSv1_2, "TLSv1.2"],
  [Protocol.TLSv1_3, "TLSv1.3"],
]);

/** Versions, suites and curves that may be negotiated. */
export function parseTlsParameters(
  where: string,
  from: TlsParameters | undefined,
): Pick<Parameters, "minVersion" | "maxVersion" | "ciphers" | "curves"> {
  if (from) {
    onlyFields(where, from, [
      "tlsMinimumProtocolVersion",
      "tlsMaximumProtocolVersion",
      "cipherSuites",
      "ecdhCurves",
    ]);
  }
  return {
    minVersion: VERSIONS.get(from?.tlsMinimumProtocolVersion ?? Protocol.TLS_AUTO) ?? "TLSv1.2",
    maxVersion: VERSIONS.get(from?.tlsMaximumProtocolVersion ?? Protocol.TLS_AUTO) ?? "TLSv1.3",
    // Envoy groups equally preferred suites as `[A|B]`.
    ciphers: (from?.cipherSuites ?? []).flatMap((suite) => suite.replace(/^\[|\]$/g, "").split("|")),
    curves: from?.ecdhCurves ?? [],
  };
}
