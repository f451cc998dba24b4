import type { TlsVersion } from "../../../mesh/model/gateway.ts";
import type { TlsLimits } from "../../../mesh/model/mesh-config.ts";
import {
  TlsParameters,
  TlsParameters_TlsProtocol as TlsProtocol,
} from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/common.ts";

const VERSIONS: Readonly<Record<TlsVersion, TlsProtocol>> = {
  TLSV1_0: TlsProtocol.TLSv1_0,
  TLSV1_1: TlsProtocol.TLSv1_1,
  TLSV1_2: TlsProtocol.TLSv1_2,
  TLSV1_3: TlsProtocol.TLSv1_3,
};

/** What one end says by itself. */
export interface OwnLimits extends Omit<TlsLimits, "minProtocolVersion"> {
  readonly minProtocolVersion: TlsVersion | undefined;
  readonly maxProtocolVersion: TlsVersion | undefined;
}

/**
 * What Envoy may negotiate (its own default for a client ends at 1.2): what an end says itself, and of the rest what
 * MeshConfig has. Without either it is 1.2 or 1.3.
 */
export function tlsParameters(mesh: TlsLimits | undefined, own?: OwnLimits): TlsParameters {
  const most = own?.maxProtocolVersion ?? "TLSV1_3";
  const least = mesh?.minProtocolVersion ?? "TLSV1_2";
  // An end that says itself what it speaks at most is not shut by what the mesh wants at least.
  const wanted = own?.minProtocolVersion ?? (least > most ? most : least);
  return TlsParameters.fromPartial({
    tlsMinimumProtocolVersion: VERSIONS[wanted],
    tlsMaximumProtocolVersion: VERSIONS[most],
    cipherSuites: [...firstSaid(own?.cipherSuites, mesh?.cipherSuites)],
    ecdhCurves: [...firstSaid(own?.ecdhCurves, mesh?.ecdhCurves)],
  });
}

function firstSaid(...lists: readonly (readonly string[] | undefined)[]): readonly string[] {
  return lists.find((list) => list !== undefined && list.length > 0) ?? [];
}
