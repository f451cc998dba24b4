import { ErrorCode } from "../error-code.ts";
import { FrameType } from "../frame.ts";
import { HpackDecoder } from "../hpack/decoder.ts";
import { parseFrames, type TestFrame } from "./frames.ts";

/** Says in short what one end of a connection has written; its SETTINGS and the credit that it gives are left out. */
export function describeFrames(): (written: Buffer) => string[] {
  const decoder = new HpackDecoder();
  return (written) => parseFrames(written).flatMap((frame) => describe(frame, decoder));
}

function describe({ type, flags, id, payload }: TestFrame, decoder: HpackDecoder): string[] {
  switch (type) {
    case FrameType.rstStream:
      return [`reset ${id} ${codeName(payload.readUInt32BE(0))}`];
    case FrameType.goaway:
      return [`goaway ${payload.readUInt32BE(0)} ${codeName(payload.readUInt32BE(4))}`];
    case FrameType.headers: {
      const fields: string[] = [];
      const field = (name: string, value: string): unknown => fields.push(`${name}: ${value}`);
      decoder.decode(payload, 0, payload.length, { field });
      return [`headers ${id} ${fields.join(", ")}${(flags & 1) !== 0 ? " end" : ""}`];
    }
    case FrameType.data:
      return [`data ${id} ${payload.length}${(flags & 1) !== 0 ? " end" : ""}`];
    case FrameType.ping:
      return [`ping${(flags & 1) !== 0 ? " ack" : ""} ${payload.toString("latin1")}`];
    case FrameType.settings:
      return (flags & 1) !== 0 ? ["settings ack"] : [];
    default:
      return [];
  }
}

function codeName(code: number): string {
  return Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? String(code);
}
