import type { Intentions, JwtProvider } from "./entry-schemas.ts";
import { type Loss, type Manifest, manifest, said, type Translation } from "./manifest.ts";
import { namespaceOf, objectName } from "./names.ts";

/** A RequestAuthentication for each service whose intentions ask for tokens. */
export function translateJwtProviders(
  providers: readonly JwtProvider[],
  intentions: readonly Intentions[],
  home: string,
): Translation {
  const losses: Loss[] = [];
  const manifests = intentions.flatMap((entry): readonly Manifest[] => {
    const asked = new Set(providersAsked(entry));
    const jwtRules = providers.filter(({ Name }) => asked.has(Name)).map(jwtRule);
    if (jwtRules.length === 0) return [];
    const metadata = {
      name: entry.Name === "*" ? "consul-any-destination" : objectName(entry.Name),
      namespace: namespaceOf(entry.Namespace, home),
    };
    const selector = entry.Name === "*" ? undefined : { matchLabels: { app: entry.Name } };
    return [manifest("security", "RequestAuthentication", metadata, said({ selector, jwtRules }))];
  });
  for (const { Name, JSONWebKeySet } of providers) {
    if (JSONWebKeySet?.Local?.JWKS === undefined && JSONWebKeySet?.Remote?.URI === undefined)
      losses.push({
        kind: "jwt-provider",
        name: Name,
        field: "JSONWebKeySet",
        meaning: "its keys are not in the entry: put them into jwtRules[].jwks, or every token is refused",
      });
  }
  return { manifests, losses };
}

function providersAsked({ JWT, Sources }: Intentions): readonly string[] {
  const jwts = [
    JWT,
    ...Sources.flatMap(({ Permissions }) => Permissions.map((permission) => permission.JWT)),
  ];
  return jwts.flatMap((jwt) => jwt?.Providers.map(({ Name }) => Name) ?? []);
}

function jwtRule(provider: JwtProvider): Record<string, unknown> {
  const { Issuer: issuer, Audiences, JSONWebKeySet: keys, Locations } = provider;
  const headers = Locations.flatMap(({ Header }) => (Header === undefined ? [] : [Header]));
  const params = Locations.flatMap(({ QueryParam }) => QueryParam?.Name ?? []);
  const cookies = Locations.flatMap(({ Cookie }) => Cookie?.Name ?? []);
  const local = keys?.Local?.JWKS;
  return said({
    issuer,
    audiences: Audiences.length === 0 ? undefined : Audiences,
    jwks: local === undefined ? undefined : Buffer.from(local, "base64").toString("utf8"),
    jwksUri: keys?.Remote?.URI,
    fromHeaders:
      headers.length === 0
        ? undefined
        : headers.map(({ Name: name, ValuePrefix: prefix }) => said({ name, prefix })),
    fromParams: params.length === 0 ? undefined : params,
    fromCookies: cookies.length === 0 ? undefined : cookies,
    forwardOriginalToken: headers.some(({ Forward }) => Forward) || undefined,
    outputPayloadToHeader: provider.Forwarding?.HeaderName,
  });
}
