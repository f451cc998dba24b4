import { ApiVersion, ConfigSource } from "../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import { SdsSecretConfig } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { SVID_SECRET, TRUST_BUNDLE_SECRET } from "../../mesh/xds/names.ts";
import { duration } from "./durations.ts";

/** Resources come over the one stream that is already there; a proxy waits for them as long as it takes. */
export const ADS: ConfigSource = ConfigSource.fromPartial({
  ads: {},
  initialFetchTimeout: duration(0),
  resourceApiVersion: ApiVersion.V3,
});

/** A secret on the same stream: the workload's identity is its agent's to answer, a credential the server's. */
export function sdsSecret(name: string): SdsSecretConfig {
  return SdsSecretConfig.fromPartial({ name, sdsConfig: isIdentity(name) ? ADS : ADS_FOR_A_WHILE });
}

/** A credential may be missing. Who needs it then refuses its calls, but the rest of the proxy must not wait for it. */
const ADS_FOR_A_WHILE: ConfigSource = ConfigSource.fromPartial({
  ads: {},
  initialFetchTimeout: duration(5000),
  resourceApiVersion: ApiVersion.V3,
});

function isIdentity(name: string): boolean {
  return name === SVID_SECRET || name === TRUST_BUNDLE_SECRET;
}
