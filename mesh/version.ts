import packageJson from "../package.json" with { type: "json" };

/** The version of this program. */
export const VERSION: string = packageJson.version;

/** The release of Istio whose configuration means the same here: what `proxyVersion` of an EnvoyFilter looks at. */
export const ISTIO_VERSION = "1.31.0";
