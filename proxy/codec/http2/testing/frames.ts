import { CLIENT_PREFACE, Flag, FrameType, frameHeader } from "../frame.ts";

export type Fields = readonly (readonly [name: string, value: string])[];

export interface TestFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  return Buffer.concat([Buffer.from(frameHeader(body.length, type, flags, id), "latin1"), body]);
}

export const PREFACE = Buffer.from(CLIENT_PREFACE, "latin1");

/** Identifiers and values. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FrameType.settings, 0, 0, payload);
}

export const SETTINGS_ACK = frame(FrameType.settings, Flag.ack, 0);
/** How a client begins, with the end of its table that our SETTINGS ask for still to come. */
export const HELLO = Buffer.concat([PREFACE, settings()]);

/** Literals without indexing, name and value as they are. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push(128 + (rest % 128));
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a.example"],
];
export const POST: Fields = [[":method", "POST"], ...GET.slice(1)];

export function headers(id: number, fields: Fields, end: "end" | "open" = "end"): Buffer {
  const flags = Flag.endHeaders | (end === "end" ? Flag.endStream : 0);
  return frame(FrameType.headers, flags, id, block(fields));
}

export function data(id: number, payload: Uint8Array | string, end: "end" | "open" = "open"): Buffer {
  return frame(FrameType.data, end === "end" ? Flag.endStream : 0, id, payload);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function windowUpdate(id: number, increment: number): Buffer {
  return frame(FrameType.windowUpdate, 0, id, uint32(increment));
}

export function rstStream(id: number, code: number): Buffer {
  return frame(FrameType.rstStream, 0, id, uint32(code));
}

export function goaway(lastId: number, code: number): Buffer {
  return frame(FrameType.goaway, 0, 0, Buffer.concat([uint32(lastId), uint32(code)]));
}

/** All frames of what was written; a preface at the beginning is passed over. */
export function parseFrames(bytes: Buffer): TestFrame[] {
  const frames: TestFrame[] = [];
  let at = bytes.subarray(0, PREFACE.length).equals(PREFACE) ? PREFACE.length : 0;
  while (at < bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (payload.length < length) throw new Error("a frame is cut off");
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      id: bytes.readUInt32BE(at + 5),
      payload,
    });
    at += 9 + length;
  }
  return frames;
}
