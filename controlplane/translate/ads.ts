import { ApiVersion, ConfigSource } from "../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import { SdsSecretConfig } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { duration } from "./durations.ts";

/** Resources come over the one stream that is already there; a proxy waits for them as long as it takes. */
export const ADS: ConfigSource = ConfigSource.fromPartial({
  ads: {},
  initialFetchTimeout: duration(0),
  resourceApiVersion: ApiVersion.V3,
});

/** A secret that the agent's relay answers, on the same stream. */
export function sdsSecret(name: string): SdsSecretConfig {
  return SdsSecretConfig.fromPartial({ name, sdsConfig: ADS });
}
