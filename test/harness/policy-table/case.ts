/** A call to the one workload of the table. */
export interface Ask {
  /** `namespace/service account` of a caller that speaks mutual TLS, or a whole SPIFFE ID; left out: plain text. */
  readonly as?: string;
  /** Of the caller, in 127.0.0.0/8. */
  readonly from?: string;
  readonly sni?: string;
  readonly method?: string;
  /** As it is sent, byte for byte. */
  readonly path?: string;
  readonly host?: string;
  /** In the order of sending; a name may come more than once. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string;
}

/** What a caller is answered; 0: nothing, the connection is closed. */
export type Answer = 0 | 200 | 400 | 401 | 403 | 404;

/** `except`: places with another answer, each a difference that docs/differences-from-envoy.md names. */
export type Row = readonly [ask: Ask, answer: Answer, except?: Partial<Record<PlaceName, Answer>>];

export type PlaceName = "simulator" | "built-in proxy" | "Envoy";

/** Policies and what follows from them for calls. */
export interface PolicyCase {
  readonly name: string;
  /** Specs of AuthorizationPolicies `p0`, `p1`, … in namespace `default`; after `DRY ` it is a dry run. `APP`: the port. */
  readonly authorization: readonly string[];
  /** Specs of RequestAuthentications. */
  readonly authentication?: readonly string[];
  /** Spec of the MeshConfig. */
  readonly mesh?: string;
  readonly protocol?: "http" | "tcp";
  readonly rows: readonly Row[];
}
