import { ConnectionError, ErrorCode } from "./error-code.ts";
import { DEFAULT_WINDOW, MAX_WINDOW, MIN_MAX_FRAME_SIZE, uint32 } from "./frame.ts";

/** RFC 9113 §6.5.2, RFC 8441 §3. */
const Setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const;

/** What the peer has said of itself so far. */
export interface PeerSettings {
  /** Undefined: no limit was named. */
  maxConcurrentStreams: number | undefined;
  initialWindow: number;
  connectProtocol: boolean;
}

export function unsaidSettings(): PeerSettings {
  return {
    maxConcurrentStreams: undefined,
    initialWindow: DEFAULT_WINDOW,
    connectProtocol: false,
  };
}

/**
 * Reads the payload of a SETTINGS frame into `settings`. Not kept are the size of the peer's table (blocks from here use
 * none), of its frames (those from here have the size that all must take) and of its header lists (it refuses what it
 * finds too large itself). Throws ConnectionError.
 */
export function applySettings(
  settings: PeerSettings,
  bytes: Buffer,
  start: number,
  end: number,
  fromServer: boolean,
): void {
  if ((end - start) % 6 !== 0) throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS of odd size");
  for (let at = start; at < end; at += 6) {
    const value = bytes.readUInt32BE(at + 2);
    switch (bytes.readUInt16BE(at)) {
      case Setting.enablePush:
        if (value > (fromServer ? 0 : 1)) throw wrong("ENABLE_PUSH");
        break;
      case Setting.maxConcurrentStreams:
        settings.maxConcurrentStreams = value;
        break;
      case Setting.initialWindowSize:
        if (value > MAX_WINDOW) {
          throw new ConnectionError(ErrorCode.flowControlError, "INITIAL_WINDOW_SIZE");
        }
        settings.initialWindow = value;
        break;
      case Setting.maxFrameSize:
        if (value < MIN_MAX_FRAME_SIZE || value > 0xff_ffff) throw wrong("MAX_FRAME_SIZE");
        break;
      case Setting.enableConnectProtocol:
        if (value > 1 || (value === 0 && settings.connectProtocol)) throw wrong("ENABLE_CONNECT_PROTOCOL");
        settings.connectProtocol = value === 1;
        break;
      default:
    }
  }
}

function wrong(name: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, `value of ${name}`);
}

export interface OwnSettings {
  readonly isServer: boolean;
  readonly maxConcurrentStreams: number;
  readonly streamWindow: number;
  readonly maxHeaderBytes: number;
}

/** The payload of the first SETTINGS: no table of fields, and no push. */
export function encodeSettings(own: OwnSettings): string {
  const common =
    setting(Setting.headerTableSize, 0) +
    setting(Setting.initialWindowSize, own.streamWindow) +
    setting(Setting.maxHeaderListSize, own.maxHeaderBytes);
  return own.isServer
    ? common +
        setting(Setting.maxConcurrentStreams, own.maxConcurrentStreams) +
        setting(Setting.enableConnectProtocol, 1)
    : common + setting(Setting.enablePush, 0);
}

function setting(id: number, value: number): string {
  return String.fromCharCode(id >> 8, id & 0xff) + uint32(value);
}
