/** `security.istio.io` RequestAuthentication: which tokens a workload takes from its callers, and how they are verified. */
export interface RequestAuthenticationSpec {
  /** Empty: all workloads of the namespace, or of the mesh in the root namespace. */
  readonly selector: Readonly<Record<string, string>>;
  readonly jwtRules: readonly JwtRule[];
}

/** How tokens of one issuer are recognised. A request without any is let through: policies ask for a principal. */
export interface JwtRule {
  readonly issuer: string;
  /** Any of them; empty: every audience. */
  readonly audiences: readonly string[];
  /** Where the keys are fetched. With neither this nor `jwks` the issuer's OpenID configuration says where. */
  readonly jwksUri: string;
  /** The keys themselves, as JSON. */
  readonly jwks: string;
  /** Without any place the token is in `Authorization: Bearer` or the parameter `access_token`. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** Header that hands the claims on, as base64url; empty: none. */
  readonly outputPayloadToHeader: string;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** For the fetch of the keys; undefined: 5 s. */
  readonly timeoutMs: number | undefined;
  /** Claims that are lists written with spaces, beside `scope` and `permission`. */
  readonly spaceDelimitedClaims: readonly string[];
}
