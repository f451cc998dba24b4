import { didYouMean } from "../spelling/closest.ts";
import { isIpRange } from "./dns-names.ts";
import { quoted } from "./finding.ts";

/** Keys of `when`, and what their values must be. */
const KEYS: Readonly<Record<string, "text" | "ip" | "port">> = {
  "source.ip": "ip",
  "remote.ip": "ip",
  "source.namespace": "text",
  "source.principal": "text",
  "source.serviceAccount": "text",
  "source.trustDomain": "text",
  "request.auth.principal": "text",
  "request.auth.audiences": "text",
  "request.auth.presenter": "text",
  "destination.ip": "ip",
  "destination.port": "port",
  "connection.sni": "text",
};

const HEADER = /^request\.headers\[[^[\]\s]+\]$/;
const CLAIM = /^request\.auth\.claims(?:\[[^[\]]+\])+$/;
const FILTER = /^experimental\.envoy\.filters\.[\w.-]+(?:\[[^[\]]+\])+$/;

/** Keys that Istio had once, and what replaced them. */
const FORMER: Readonly<Record<string, string>> = {
  "source.user": "source.principal",
  "destination.name": "the selector",
  "destination.namespace": "the policy's namespace",
  "destination.user": "the selector",
  "destination.labels": "the selector",
};

/** What is wrong with the key of a condition, or undefined. */
export function conditionKeyProblem(key: string): string | undefined {
  if (Object.hasOwn(KEYS, key) || HEADER.test(key) || CLAIM.test(key) || FILTER.test(key)) return undefined;
  if (key === "") return "must not be empty";
  const former = Object.hasOwn(FORMER, key) ? FORMER[key] : undefined;
  if (former !== undefined) return `${key} is no longer a key: use ${former}`;
  const names = [...Object.keys(KEYS), "request.headers[name]", "request.auth.claims[name]"];
  return `${quoted(key)} is not a key of a condition${didYouMean(key, names)}`;
}

/** What is wrong with a value of a condition with this key, or undefined. */
export function conditionValueProblem(key: string, value: string): string | undefined {
  switch (Object.hasOwn(KEYS, key) ? KEYS[key] : undefined) {
    case "ip":
      return isIpRange(value) ? undefined : `${quoted(value)} is not an IP address or a CIDR range`;
    case "port":
      return isPortText(value) ? undefined : `${quoted(value)} is not a port`;
    default:
      return value === "" ? "must not be empty" : undefined;
  }
}

export function isPortText(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535;
}
