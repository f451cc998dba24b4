/** `networking.istio.io` WorkloadEntry: one endpoint outside every registry. */
export interface WorkloadEntrySpec {
  /** IP address, host name, or `unix://` path. */
  readonly address: string;
  /** Port name to number; where a name is missing the service's target port is used. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  readonly locality: string;
  /** At least 1. */
  readonly weight: number;
  /** Empty: no identity, so callers use plaintext. */
  readonly serviceAccount: string;
}
