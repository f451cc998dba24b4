import type { VerificationKey } from "./key-set.ts";

/** Which tokens are asked for, and what is made of them. */
export interface JwtAuthentication {
  readonly providers: ReadonlyMap<string, JwtProvider>;
  /** Undefined: nothing is asked for. */
  readonly requirement: JwtRequirement | undefined;
  /** Preflights carry no token, so none is asked for. */
  readonly bypassPreflight: boolean;
}

/** An issuer of tokens. */
export interface JwtProvider {
  readonly issuer: string;
  /** Any of them; empty: every audience. */
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
  readonly requireExpiration: boolean;
  readonly clockSkewSeconds: number;
  /** Where its tokens are looked for. */
  readonly places: readonly TokenPlace[];
  /** Whether the upstream gets the token too. */
  readonly forward: boolean;
  /** Header that hands the claims on as base64url; empty: none. */
  readonly payloadHeader: string;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: readonly string[] }[];
  /** Under which name the filter's metadata has the claims; empty: not at all. */
  readonly metadataKey: string;
  /** The same for the token's header. */
  readonly headerKey: string;
  /** Claims that the metadata has as lists and the token as texts with spaces. */
  readonly spaceDelimited: ReadonlySet<string>;
  readonly clearsRoute: boolean;
}

export type TokenPlace =
  /** After `prefix`, which may stand anywhere in the value. */
  | { readonly kind: "header"; readonly name: string; readonly prefix: string }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string };

export type JwtRequirement =
  | { readonly kind: "provider"; readonly name: string }
  /** No token at any place of any provider; what is there must be genuine, whichever provider it is of. */
  | { readonly kind: "missing" }
  | { readonly kind: "any" | "all"; readonly of: readonly JwtRequirement[] };
