import { FilterConfig } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { Config as SetFilterState } from "../../../mesh/xds/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.ts";
import { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { Cel } from "../../../mesh/xds/gen/envoy/extensions/formatter/cel/v3/cel.ts";
import type { Any } from "../../../mesh/xds/gen/google/protobuf/any.ts";
import { ALPN_FILTERS, CLIENT_ALPN } from "../../../mesh/xds/names.ts";
import { pack } from "../any.ts";

/** Which HTTP the connections are said to carry: HTTP/1.1, or what the caller speaks. */
export type SaidHttp = keyof typeof ALPN_FILTERS;

/** Envoy's well-known state that counts instead of the `alpn_protocols` of a cluster's TLS context. */
const STATE = "envoy.network.application_protocols";

const HTTP1 = CLIENT_ALPN.http1.join();
const HTTP2 = CLIENT_ALPN.http2.join();

const CEL_FORMATTER = {
  name: "envoy.formatter.cel",
  typedConfig: pack("envoy.extensions.formatter.cel.v3.Cel", Cel, Cel.fromPartial({})),
};

/** Says it for calls as they come. Disabled: routes that need it enable it (`sayingHttp`). */
export const calledAlpnFilter: HttpFilter = alpnFilter(
  "as-called",
  `%CEL(request.protocol == 'HTTP/2' ? '${HTTP2}' : '${HTTP1}')%`,
);

/** Says HTTP/1.1, which a gateway speaks whatever its callers do. Disabled likewise. */
export const http1AlpnFilter: HttpFilter = alpnFilter("http1", HTTP1);

/** What a route, or one of its weighted clusters, has in `typed_per_filter_config` to enable such a filter. */
export function sayingHttp(http: SaidHttp | undefined): { [filter: string]: Any } {
  return http === undefined ? {} : { [ALPN_FILTERS[http]]: ENABLED };
}

/** Envoy takes a configuration that is there and empty as a word to enable what is disabled. */
const ENABLED = pack(
  "envoy.config.route.v3.FilterConfig",
  FilterConfig,
  FilterConfig.fromPartial({ config: {} }),
);

function alpnFilter(http: SaidHttp, format: string): HttpFilter {
  const message = SetFilterState.fromPartial({
    onRequestHeaders: [
      {
        objectKey: STATE,
        formatString: {
          textFormatSource: { inlineString: format },
          // Older Envoys know the command by this alone.
          ...(format.includes("%CEL(") && { formatters: [CEL_FORMATTER] }),
        },
      },
    ],
  });
  return HttpFilter.fromPartial({
    name: ALPN_FILTERS[http],
    disabled: true,
    typedConfig: pack("envoy.extensions.filters.http.set_filter_state.v3.Config", SetFilterState, message),
  });
}
