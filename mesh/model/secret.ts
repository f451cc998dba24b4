/**
 * A Kubernetes Secret (`v1`, types `kubernetes.io/tls` and `Opaque`) with the keys that Istio's gateways read. PEM texts;
 * empty: not there.
 */
export interface SecretSpec {
  /** `tls.crt`, or `cert` of an Opaque one: leaf first. */
  readonly certificateChain: string;
  /** `tls.key` or `key`. */
  readonly privateKey: string;
  /** `ca.crt` or `cacert`. */
  readonly roots: string;
  /** `ca.crl` or `crl`. */
  readonly crl: string;
}
