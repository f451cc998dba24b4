/** How the tunnel is called in ALPN (docs/lateen-mux.md §1). */
export const TUNNEL_ALPN = "lateen-mux/1";

/**
 * The frames of `lateen-mux/1` (docs/lateen-mux.md §3): eight octets of header, then the payload.
 *
 *     length: 24 | fin: 1, kind: 7 | stream: 32
 */
export const FRAME_HEADER_BYTES = 8;
/** Largest payload of DATA: what one TLS record holds, so that one stream does not hold up the others for long. */
const MOST_DATA_BYTES = 16_384;
/** What is sent at most: header and payload are a TLS record (RFC 8446 §5.1), read at once at the other end. */
export const RECORD_DATA_BYTES = MOST_DATA_BYTES - FRAME_HEADER_BYTES;
/** Largest payload of a frame that carries a head or trailers. */
const MOST_HEAD_BYTES = 65_536;
/** Largest payload of the other frames, and of kinds that are not known here. */
const MOST_OTHER_BYTES = 1024;
/** In the octet of the kind: the sender of this frame sends no more on its stream. */
export const FIN = 0x80;

export const FrameKind = {
  settings: 0,
  request: 1,
  response: 2,
  interim: 3,
  connect: 4,
  data: 5,
  trailers: 6,
  reset: 7,
  credit: 8,
  ping: 9,
  pong: 10,
  goaway: 11,
} as const;

export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Longest payload that a frame of this kind may have. */
export function mostPayload(kind: number): number {
  switch (kind) {
    case FrameKind.data:
      return MOST_DATA_BYTES;
    case FrameKind.request:
    case FrameKind.response:
    case FrameKind.interim:
    case FrameKind.trailers:
      return MOST_HEAD_BYTES;
    default:
      return MOST_OTHER_BYTES;
  }
}

/** Why a stream is given up, on the wire. */
export const ResetCode = {
  cancelled: 0,
  /** Not looked at: it can be sent again. */
  refused: 1,
  protocol: 2,
  limit: 3,
  /** The answer is complete, and the rest of the request is of no use to anybody. */
  enough: 4,
} as const;

export interface Settings {
  /** Streams that may be open at a time, counted by the one that says so. */
  readonly maxStreams: number;
  /** Octets of DATA that may be sent on a new stream before the first CREDIT. */
  readonly window: number;
}

/** What counts until the other end's SETTINGS are there. */
export const INITIAL_SETTINGS: Settings = { maxStreams: 1024, window: 65_536 };

/** Highest number of a stream, and the largest credit. */
export const MOST = 0x7fff_ffff;
