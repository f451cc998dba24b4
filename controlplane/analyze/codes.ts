import type { Severity } from "./finding.ts";

/**
 * Every code that `lateen analyze` can tell, with its level. IST codes have Istio's meaning and level
 * (pkg/config/analysis/msg/messages.yaml); LAT codes are for hosts. docs/analysis.md explains each, and a test keeps the
 * two equal.
 */
export const CODES = {
  IST0002: "Warning",
  IST0101: "Error",
  IST0106: "Error",
  IST0107: "Warning",
  IST0108: "Warning",
  IST0109: "Error",
  IST0110: "Error",
  IST0111: "Error",
  IST0112: "Error",
  IST0118: "Info",
  IST0125: "Warning",
  IST0126: "Error",
  IST0127: "Warning",
  IST0128: "Warning",
  IST0129: "Warning",
  IST0130: "Warning",
  IST0131: "Info",
  IST0132: "Warning",
  IST0133: "Warning",
  IST0134: "Warning",
  IST0135: "Info",
  IST0136: "Info",
  IST0137: "Warning",
  IST0138: "Warning",
  IST0145: "Error",
  IST0149: "Error",
  IST0151: "Warning",
  IST0152: "Error",
  IST0153: "Error",
  IST0154: "Error",
  IST0155: "Warning",
  IST0157: "Warning",
  IST0159: "Error",
  IST0160: "Error",
  IST0161: "Error",
  IST0162: "Warning",
  IST0167: "Warning",
  IST0173: "Error",
  IST0174: "Warning",
  IST0177: "Warning",
  LAT0001: "Warning",
  LAT0002: "Warning",
  LAT0003: "Warning",
  LAT0004: "Warning",
  LAT0005: "Warning",
  LAT0006: "Warning",
  LAT0007: "Warning",
  LAT0008: "Error",
  LAT0009: "Error",
  LAT0010: "Warning",
  LAT0011: "Warning",
  LAT0012: "Warning",
  LAT0013: "Warning",
  LAT0014: "Error",
} as const satisfies Readonly<Record<string, Severity>>;

export type Code = keyof typeof CODES;

export function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text);
}

/** Istio's page on a code of its own. */
export function documentationUrl(code: Code): string | undefined {
  return code.startsWith("IST")
    ? `https://istio.io/latest/docs/reference/config/analysis/${code.toLowerCase()}/`
    : undefined;
}
