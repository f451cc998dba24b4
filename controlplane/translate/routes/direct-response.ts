import type { HttpRoute } from "../../../mesh/model/virtual-service.ts";
import { DirectResponseAction } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";

export function directResponse({
  status,
  body,
}: NonNullable<HttpRoute["directResponse"]>): DirectResponseAction {
  return DirectResponseAction.fromPartial({
    status,
    ...(body.length === 0
      ? {}
      : { body: typeof body === "string" ? { inlineString: body } : { inlineBytes: body } }),
  });
}
