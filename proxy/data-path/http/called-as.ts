import type { RequestHead } from "../../codec/stream.ts";

/** Whether the caller spoke HTTP/2, also where a tunnel lies between: it alone names a scheme. */
export function isHttp2({ scheme }: Pick<RequestHead, "scheme">): boolean {
  return scheme !== undefined;
}
