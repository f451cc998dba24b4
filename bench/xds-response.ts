/**
 * Reads of a DeltaDiscoveryResponse what a subscriber needs to answer it. The resources stay bytes: thousands of simulated
 * proxies share two cores with the server that is measured.
 */
export interface ScannedResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly ScannedResource[];
  readonly removed: readonly string[];
}

export interface ScannedResource {
  readonly name: string;
  readonly version: string;
  /** Of the resource itself (the `value` of its Any). */
  readonly bytes: Buffer;
}

/** Field numbers are those of envoy/service/discovery/v3/discovery.proto. */
export function scanResponse(bytes: Buffer): ScannedResponse {
  let [typeUrl, nonce] = ["", ""];
  const resources: ScannedResource[] = [];
  const removed: string[] = [];
  eachField(bytes, 0, bytes.length, (field, start, end) => {
    if (field === 2) resources.push(scanResource(bytes, start, end));
    else if (field === 4) typeUrl = bytes.toString("latin1", start, end);
    else if (field === 5) nonce = bytes.toString("latin1", start, end);
    else if (field === 6) removed.push(bytes.toString("latin1", start, end));
  });
  return { typeUrl, nonce, resources, removed };
}

function scanResource(bytes: Buffer, from: number, to: number): ScannedResource {
  let [name, version] = ["", ""];
  let value = bytes.subarray(0, 0);
  eachField(bytes, from, to, (field, start, end) => {
    if (field === 1) version = bytes.toString("latin1", start, end);
    else if (field === 3) name = bytes.toString("latin1", start, end);
    else if (field === 2) {
      eachField(bytes, start, end, (inner, innerStart, innerEnd) => {
        if (inner === 2) value = bytes.subarray(innerStart, innerEnd);
      });
    }
  });
  return { name, version, bytes: value };
}

/** All fields of these messages are length-delimited, but for none. */
function eachField(
  bytes: Buffer,
  from: number,
  to: number,
  call: (field: number, start: number, end: number) => void,
): void {
  let at = from;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < to) {
    const tag = varint();
    if ((tag & 7) !== 2) throw new Error(`field ${tag >> 3} has wire type ${tag & 7}`);
    const length = varint();
    call(tag >> 3, at, at + length);
    at += length;
  }
}
