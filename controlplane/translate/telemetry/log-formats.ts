import type { ProviderFormat } from "../../../mesh/model/telemetry.ts";
import { SubstitutionFormatString } from "../../../mesh/xds/gen/envoy/config/core/v3/substitution_format_string.ts";

/** Istio's fields, by the names that they have in its JSON. */
const FIELDS = {
  start_time: "%START_TIME%",
  method: "%REQ(:METHOD)%",
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  protocol: "%PROTOCOL%",
  response_code: "%RESPONSE_CODE%",
  response_flags: "%RESPONSE_FLAGS%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  duration: "%DURATION%",
  upstream_service_time: "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%",
  user_agent: "%REQ(USER-AGENT)%",
  request_id: "%REQ(X-REQUEST-ID)%",
  authority: "%REQ(:AUTHORITY)%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_cluster: "%UPSTREAM_CLUSTER_RAW%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  route_name: "%ROUTE_NAME%",
} as const;

const QUOTED = new Set<keyof typeof FIELDS>([
  "upstream_transport_failure_reason",
  "x_forwarded_for",
  "user_agent",
  "request_id",
  "authority",
  "upstream_host",
]);

/** Istio's line, where nobody says another. */
export const DEFAULT_TEXT: string = defaultText();

/** The format of a log in a file. A format in one line ends with a line end. */
export function logFormat({ text, labels, omitEmptyValues }: ProviderFormat): SubstitutionFormatString {
  if (labels !== undefined) {
    const fields = Object.keys(labels).length === 0 ? FIELDS : labels;
    return SubstitutionFormatString.fromPartial({ jsonFormat: fields, omitEmptyValues });
  }
  const line = text === "" ? DEFAULT_TEXT : text.endsWith("\n") ? text : `${text}\n`;
  return SubstitutionFormatString.fromPartial({ textFormatSource: { inlineString: line }, omitEmptyValues });
}

function defaultText(): string {
  const { start_time: start, method, path, protocol, ...rest } = FIELDS;
  const tail = Object.entries(rest).map(([name, command]) =>
    QUOTED.has(name as keyof typeof FIELDS) ? `"${command}"` : command,
  );
  return `[${start}] "${method} ${path} ${protocol}" ${tail.join(" ")}\n`;
}
