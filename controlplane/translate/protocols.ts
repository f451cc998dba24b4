import type { Protocol } from "../../mesh/model/service.ts";

/** How a proxy handles a port. What it does not look into (`tls` too) is plain bytes to it. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === "http" || protocol === "http2" || protocol === "grpc";
}

/** It is HTTP, or may be found to be. */
export function mayBeHttp(protocol: Protocol): boolean {
  return isHttp(protocol) || protocol === "auto";
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === "http2" || protocol === "grpc";
}
