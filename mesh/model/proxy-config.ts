/** `networking.istio.io` ProxyConfig: settings of the data plane's process. Takes effect when that starts. */
export interface ProxyConfigSpec {
  readonly selector: Readonly<Record<string, string>>;
  /** Worker threads; 0: one for each core. */
  readonly concurrency: number | undefined;
  readonly environmentVariables: Readonly<Record<string, string>>;
  /** Empty: not said. */
  readonly imageType: string;
}

/** More than this is counted as this. */
export const MOST_THREADS = 256;

/** Begins the names of variables that are the node's metadata, which EnvoyFilters look at. */
export const METADATA_PREFIX = "ISTIO_META_";
