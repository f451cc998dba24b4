import type { StringMatch } from "./match.ts";
import type { MetadataMatch } from "./metadata.ts";

/** Asks somebody else whether a request may pass. */
export interface ExtAuthz {
  /** Which requests are asked about; undefined: all. */
  readonly enabledFor: MetadataMatch | undefined;
  readonly service: HttpAuthorization | GrpcAuthorization;
  /** The question has the request's body; undefined: it has none. */
  readonly body: CheckedBody | undefined;
  readonly failOpen: boolean;
  readonly statusOnError: number;
  readonly clearsRoute: boolean;
}

export interface CheckedBody {
  readonly maxBytes: number;
  /** A longer one is asked about by its beginning, instead of being refused (413). */
  readonly partial: boolean;
  /** Over gRPC: as bytes instead of text. */
  readonly asBytes: boolean;
}

/** A question is a request with the path, the method and some of the headers of the one that is asked about. */
export interface HttpAuthorization {
  readonly kind: "http";
  readonly cluster: string;
  readonly timeoutMs: number;
  readonly pathPrefix: string;
  /** Headers that the question has beside method, path, host and authorization. */
  readonly inCheck: readonly StringMatch[];
  readonly additional: readonly (readonly [name: string, value: string])[];
  /** Of the answer: what the upstream gets of it, and the caller. None for a denial: all of it. */
  readonly toUpstreamOnAllow: readonly StringMatch[];
  readonly toDownstreamOnAllow: readonly StringMatch[];
  readonly toDownstreamOnDeny: readonly StringMatch[];
}

/** `envoy.service.auth.v3.Authorization`: a question describes the request, with all its headers. */
export interface GrpcAuthorization {
  readonly kind: "grpc";
  readonly cluster: string;
  readonly authority: string;
  readonly timeoutMs: number;
}
