import type { Steps } from "../lifecycle/slices.ts";
import { DeltaDiscoveryResponse, Resource } from "./gen/envoy/service/discovery/v3/discovery.ts";
import { splitMessage } from "./split-message.ts";

/** `repeated Resource resources = 2` */
const RESOURCES = 2;

/** Decodes a response one resource after the other: it may have many thousands. Throws for bytes that are none. */
export function* readDeltaResponse(bytes: Uint8Array): Steps<DeltaDiscoveryResponse> {
  const { parts, rest } = yield* splitMessage(bytes, RESOURCES);
  const response = DeltaDiscoveryResponse.decode(rest);
  for (const part of parts) {
    response.resources.push(Resource.decode(part));
    yield;
  }
  return response;
}
