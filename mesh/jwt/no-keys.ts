/**
 * Stands for the keys of an issuer that could not be had: a P-256 key whose private half nobody knows, since its x is a
 * hash (see the test). Every token of the issuer is refused then, as with Istio's fake key set.
 */
export const NO_KEYS: string = JSON.stringify({
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      x: "6K_iU4ToDfpJ0a06xV-vs53B_GWVRFMvS6kU50Pq_eE",
      y: "72URxJwDJ_UjOaQd4lqoSPD5J7cTyPnqPNfJv19NuAg",
      kid: "keys-not-available",
      alg: "ES256",
    },
  ],
});
