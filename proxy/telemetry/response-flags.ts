/** Envoy's response flags with their long names. */
const FLAGS = {
  UH: "NoHealthyUpstream",
  UT: "UpstreamRequestTimeout",
  UR: "UpstreamRemoteReset",
  UF: "UpstreamConnectionFailure",
  UC: "UpstreamConnectionTermination",
  UO: "UpstreamOverflow",
  NR: "NoRouteFound",
  DI: "DelayInjected",
  FI: "FaultInjected",
  UAEX: "UnauthorizedExternalService",
  DC: "DownstreamConnectionTermination",
  URX: "UpstreamRetryLimitExceeded",
  SI: "StreamIdleTimeout",
  DPE: "DownstreamProtocolError",
  UPE: "UpstreamProtocolError",
  NC: "NoClusterFound",
  DF: "DnsResolutionFailed",
} as const;

export type ResponseFlag = keyof typeof FLAGS;

/** In the order in which they came about; `-`: none. */
export function flagsText(flags: ReadonlySet<ResponseFlag>): string {
  return flags.size === 0 ? "-" : [...flags].join(",");
}

export function flagsLong(flags: ReadonlySet<ResponseFlag>): string {
  return flags.size === 0 ? "-" : [...flags].map((flag) => FLAGS[flag]).join(",");
}
