/** What a secret of ours looks like, wherever it turns up: keys, join tokens, access tokens, JWTs. */
const SECRETS: Readonly<Record<string, RegExp>> = {
  "private key": /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]{16}/g,
  "join token": /\blateen1\.[\w-]{8,}\.[\w.:-]+/g,
  "access token": /\blateen-access\.[a-z0-9]{12}\.[\w-]{43}/g,
  JWT: /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}/g,
};

/** The kinds of secrets in a text, and where; never the secrets themselves. */
export function secretsIn(text: string): readonly string[] {
  return Object.entries(SECRETS).flatMap(([kind, pattern]) =>
    [...text.matchAll(pattern)].map(({ index }) => `${kind} at ${index}`),
  );
}
