import type {
  Http2ProtocolOptions,
  KeepaliveSettings,
} from "../../mesh/xds/gen/envoy/config/core/v3/protocol.ts";
import type { Http2Settings } from "../model/http2.ts";
import { invalid, onlyFields } from "./refuse.ts";
import { milliseconds } from "./values.ts";

/** What Envoy takes at the outside for a window. */
const LARGEST_WINDOW = 0x7fff_ffff;
const SMALLEST_WINDOW = 65_535;

/**
 * Limits of frames that cost more than they carry are this proxy's own, and it keeps no table of headers, which any size
 * of one allows.
 */
export function parseHttp2(parent: string, from: Http2ProtocolOptions | undefined): Http2Settings {
  if (from === undefined) return {};
  const where = `${parent}: http2_protocol_options`;
  onlyFields(where, from, [
    "maxConcurrentStreams",
    "initialStreamWindowSize",
    "initialConnectionWindowSize",
    "connectionKeepalive",
    "hpackTableSize",
    "allowConnect",
    "maxOutboundFrames",
    "maxOutboundControlFrames",
    "maxConsecutiveInboundFramesWithEmptyPayload",
    "maxInboundPriorityFramesPerStream",
    "maxInboundWindowUpdateFramesPerDataFrameSent",
    "overrideStreamErrorOnInvalidHttpMessage",
    "streamErrorOnInvalidHttpMessaging",
    "useOghttp2Codec",
  ]);
  const { maxConcurrentStreams, initialStreamWindowSize, initialConnectionWindowSize } = from;
  if (maxConcurrentStreams === 0) throw invalid(where, "max_concurrent_streams of 0");
  const keepAlive = parseKeepAlive(where, from.connectionKeepalive);
  return {
    ...(maxConcurrentStreams === undefined ? {} : { maxConcurrentStreams }),
    ...(initialStreamWindowSize === undefined
      ? {}
      : { streamWindow: window(where, initialStreamWindowSize) }),
    ...(initialConnectionWindowSize === undefined
      ? {}
      : { connectionWindow: window(where, initialConnectionWindowSize) }),
    ...(keepAlive && { keepAlive }),
  };
}

function window(where: string, bytes: number): number {
  if (bytes < SMALLEST_WINDOW || bytes > LARGEST_WINDOW) throw invalid(where, `a window of ${bytes} bytes`);
  return bytes;
}

/** Without an interval no PING is sent. Jitter spreads the PINGs of many connections, which begin at different times. */
function parseKeepAlive(parent: string, from: KeepaliveSettings | undefined): Http2Settings["keepAlive"] {
  if (from === undefined) return undefined;
  const where = `${parent}: connection_keepalive`;
  onlyFields(where, from, ["interval", "timeout", "intervalJitter"]);
  const intervalMs = milliseconds(from.interval, 0);
  const timeoutMs = milliseconds(from.timeout, 0);
  if (timeoutMs < 1) throw invalid(where, "no timeout");
  return intervalMs < 1 ? undefined : { intervalMs, timeoutMs };
}
