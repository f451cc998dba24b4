import type { FastifyInstance } from "fastify";
import { silentLogger } from "../../../mesh/telemetry/logger.ts";
import type { FakeServer } from "../../../test/fakes/admin-deps.ts";
import { MemoryAudit } from "../../../test/fakes/memory-audit.ts";
import { type ApiOptions, buildApi } from "../api.ts";
import { SOCKET_DOOR } from "../door.ts";

/** The API with fakes behind it, as the unix socket serves it unless told otherwise. */
export function openApi(
  { deps }: Pick<FakeServer, "deps">,
  options: Partial<ApiOptions> = {},
): FastifyInstance {
  return buildApi({
    deps,
    door: SOCKET_DOOR,
    audit: new MemoryAudit(),
    logger: silentLogger,
    closing: new AbortController().signal,
    ...options,
  });
}
