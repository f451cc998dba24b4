import * as z from "zod";
import { didYouMean } from "../spelling/closest.ts";
import { quoted } from "./finding.ts";
import { isServerFirst } from "./protocols.ts";
import { problemCheck } from "./schema-rule.ts";
import type { Protocol } from "./service.ts";

/** Istio's protocol names, by what the proxy does with them. */
const PROTOCOLS = {
  HTTP: "http",
  HTTP_PROXY: "http",
  HTTP2: "http2",
  GRPC: "grpc",
  "GRPC-WEB": "grpc",
  HTTPS: "tls",
  TLS: "tls",
  TCP: "tcp",
  MONGO: "mongo",
  MYSQL: "mysql",
  REDIS: "tcp",
} as const satisfies Readonly<Record<string, Protocol>>;

/** In capitals; authors may write them in any case. */
export type ProtocolName = keyof typeof PROTOCOLS;

export const protocolName: z.ZodType<ProtocolName> = z
  .string()
  .check(problemCheck(protocolProblem))
  .transform((written) => written.toUpperCase() as ProtocolName);

/** Undefined for the empty string too: a port about which nobody said what it speaks. */
export const protocolNameIfSaid: z.ZodType<ProtocolName | undefined> = z
  .string()
  .check(problemCheck((written) => (written === "" ? undefined : protocolProblem(written))))
  .transform((written) => (written === "" ? undefined : (written.toUpperCase() as ProtocolName)));

export function protocolOf(name: ProtocolName): Protocol {
  return PROTOCOLS[name];
}

/** Of a port about which nobody said it: found out, but for ports that are known for servers that speak first. */
export function unsaidProtocol(port: number): Protocol {
  return isServerFirst({ number: port, protocol: "tcp" }) ? "tcp" : "auto";
}

export function protocolProblem(written: string): string | undefined {
  const name = written.toUpperCase();
  if (Object.hasOwn(PROTOCOLS, name)) return undefined;
  if (name === "UDP") return "UDP is not supported: the proxies carry TCP";
  return `${quoted(written)} is not a protocol${didYouMean(written, Object.keys(PROTOCOLS))}`;
}
