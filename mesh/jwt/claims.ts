import type { VerifiedToken } from "./authenticate.ts";
import type { JwtProvider } from "./authentication.ts";
import type { JsonObject } from "./strict-json.ts";

/** The claims as conditions ask about them: those that are lists written with spaces are lists. */
function conditionClaims({ token, provider }: VerifiedToken): JsonObject {
  const lists = Object.entries(token.claims).flatMap(([name, value]) =>
    provider.spaceDelimited.has(name) && typeof value === "string"
      ? [[name, value.split(" ").filter((word) => word !== "")] as const]
      : [],
  );
  return { ...token.claims, ...Object.fromEntries(lists) };
}

/** What the filter leaves behind about a verified token. */
export function tokenMetadata(verified: VerifiedToken): JsonObject {
  const { metadataKey, headerKey } = verified.provider;
  return {
    ...(metadataKey === "" ? {} : { [metadataKey]: conditionClaims(verified) }),
    ...(headerKey === "" ? {} : { [headerKey]: verified.token.header }),
  };
}

/** What a verified token puts into headers for the upstream, by lower-case name. */
export function claimHeaders({ token, provider }: VerifiedToken): readonly (readonly [string, string])[] {
  const claims = provider.claimHeaders.flatMap(({ header, claim }) => {
    const value = headerValue(claimAt(token.claims, claim));
    return value === undefined ? [] : [[header, value] as const];
  });
  return provider.payloadHeader === "" ? claims : [[provider.payloadHeader, token.payload], ...claims];
}

/** Headers that only a verified token may fill. */
export function reservedHeaders(providers: Iterable<JwtProvider>): ReadonlySet<string> {
  return new Set(
    [...providers].flatMap(({ payloadHeader, claimHeaders: list }) => [
      ...(payloadHeader === "" ? [] : [payloadHeader]),
      ...list.map(({ header }) => header),
    ]),
  );
}

function claimAt(claims: JsonObject, path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}

/** Lists and objects go as base64 of their JSON, as Envoy has it; what would break the header's line is left out. */
function headerValue(claim: unknown): string | undefined {
  if (claim === undefined || claim === null) return undefined;
  if (typeof claim === "object") return Buffer.from(JSON.stringify(claim)).toString("base64");
  const text = typeof claim === "string" ? claim : JSON.stringify(claim);
  return /^[\t\x20-\x7e]*$/.test(text) ? text : undefined;
}
