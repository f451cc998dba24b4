import type { RouteAction_HashPolicy as HashPolicyMessage } from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { HashKey, HashPolicy } from "../model/route.ts";
import { onlyFields, unsupported } from "./refuse.ts";
import { milliseconds } from "./values.ts";

export function parseHashPolicy(parent: string, from: HashPolicyMessage): HashPolicy {
  const where = `${parent}: hash policy`;
  return { key: parseKey(where, from), terminal: from.terminal };
}

function parseKey(where: string, from: HashPolicyMessage): HashKey {
  if (from.header) {
    onlyFields(where, from.header, ["headerName"]);
    return { kind: "header", name: from.header.headerName.toLowerCase() };
  }
  if (from.queryParameter) return { kind: "query", name: from.queryParameter.name };
  if (from.connectionProperties?.sourceIp) return { kind: "source-ip" };
  if (from.cookie) {
    const { name, ttl, path, attributes } = from.cookie;
    return {
      kind: "cookie",
      name,
      ttlSeconds: ttl && Math.floor(milliseconds(ttl, 0) / 1000),
      path,
      attributes: attributes.map((attribute) => ({ name: attribute.name, value: attribute.value })),
    };
  }
  throw unsupported(where, "a key that is not a header, a cookie, a query parameter or the source address");
}
