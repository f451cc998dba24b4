import type { EncodedResource, ResourceMap } from "./encoded-resource.ts";

/** What a response says beside its resources. */
export interface ResponseHead {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `system_version_info` (delta) or `version_info` (state of the world). */
  readonly version: string;
  /** Names the server, for people who look at a proxy. */
  readonly controlPlane?: string;
}

/** Resources of a response: a choice, or all of a map. */
export type Resources = readonly EncodedResource[] | ResourceMap;

/**
 * The bytes of a DeltaDiscoveryResponse around resources that are already encoded: they are copied, never decoded. What
 * responses share is copied as a whole. Field numbers are those of envoy/service/discovery/v3/discovery.proto.
 */
export function encodeDeltaResponse(
  head: ResponseHead,
  resources: Resources,
  removed: readonly string[],
  memory: Memory = freshMemory,
): Uint8Array {
  const sections = sectionsOf(resources, deltaSections, (list) => deltaSection(head.typeUrl, list));
  const own = [...removed.map((name): Field => [0x32, name]), [0x2a, head.nonce] as const];
  return assemble(sections, tailOf(head, 0x3a), own, memory);
}

/** The bytes of a (state of the world) DiscoveryResponse around resources that are already encoded. */
export function encodeSotwResponse(
  head: ResponseHead,
  resources: Resources,
  memory: Memory = freshMemory,
): Uint8Array {
  const sections = sectionsOf(resources, sotwSections, (list) => sotwSection(head.typeUrl, list));
  return assemble(sections, tailOf(head, 0x32), [[0x2a, head.nonce]], memory);
}

/** Where the bytes go: gives as many as are asked for. */
type Memory = (length: number) => Buffer;

function freshMemory(length: number): Buffer {
  return Buffer.allocUnsafe(length);
}

const MOST_SCRATCH_BYTES = 8 << 20;
let scratch = Buffer.alloc(64 * 1024);

/**
 * Memory that is used again for the next response: for bytes that are copied at once. Responses of a megabyte, made
 * thousands of times as proxies connect, would otherwise keep the collector busier than anything else.
 */
export function scratchMemory(length: number): Buffer {
  if (length > MOST_SCRATCH_BYTES) return Buffer.allocUnsafe(length);
  if (length > scratch.length) scratch = Buffer.alloc(length * 2);
  return scratch.subarray(0, length);
}

/** A tag (of the length-delimited kind) and its value; an empty one is left out, as proto3 has it. */
type Field = readonly [tag: number, value: string | Uint8Array];

const EMPTY = Buffer.alloc(0);

function assemble(
  sections: readonly Uint8Array[],
  tail: Uint8Array,
  own: readonly Field[],
  memory: Memory,
): Uint8Array {
  let length = tail.length + lengthOf(own);
  for (const section of sections) length += section.length;
  const writer = new Writer(memory(length));
  for (const section of sections) writer.raw(section);
  writer.raw(tail);
  for (const [tag, value] of own) writer.field(tag, value);
  return writer.bytes;
}

interface Tail extends ResponseHead {
  readonly controlPlaneTag: number;
  readonly bytes: Uint8Array;
}

/** What all responses of one type at one version say: by type, the last one, as they come one after the other. */
const tails = new Map<string, Tail>();
const MOST_TAILS = 16;

function tailOf(head: ResponseHead, controlPlaneTag: number): Uint8Array {
  const { typeUrl, version, controlPlane } = head;
  const last = tails.get(typeUrl);
  if (
    last?.version === version &&
    last.controlPlane === controlPlane &&
    last.controlPlaneTag === controlPlaneTag
  ) {
    return last.bytes;
  }
  const server = controlPlane === undefined ? EMPTY : encodeFields([[0x0a, controlPlane]]);
  const bytes = encodeFields([
    [0x0a, version],
    [0x22, typeUrl],
    [controlPlaneTag, server],
  ]);
  if (tails.size >= MOST_TAILS) tails.clear();
  tails.set(typeUrl, { ...head, controlPlaneTag, bytes });
  return bytes;
}

function encodeFields(fields: readonly Field[]): Uint8Array {
  return assemble([], EMPTY, fields, freshMemory);
}

/** Encoded resources by what they are a list of (identity): a change that streams share, or a part of a shared map. */
type Sections = WeakMap<object, WeakRef<Uint8Array> | "seen">;

const deltaSections: Sections = new WeakMap();
const sotwSections: Sections = new WeakMap();

function sectionsOf(
  resources: Resources,
  sections: Sections,
  encode: (resources: readonly EncodedResource[]) => Uint8Array,
): readonly Uint8Array[] {
  if (!("buckets" in resources)) {
    return [sectionOf(resources, sections, () => encode(resources))];
  }
  return resources.buckets
    .filter(({ size }) => size > 0)
    .map((bucket) => sectionOf(bucket, sections, () => encode([...bucket.values()])));
}

/** Kept from the second time on: many lists are one stream's own, and are never seen again. */
function sectionOf(list: object, sections: Sections, encode: () => Uint8Array): Uint8Array {
  const known = sections.get(list);
  const kept = known === undefined || known === "seen" ? undefined : known.deref();
  if (kept !== undefined) return kept;
  const section = encode();
  sections.set(list, known === undefined ? "seen" : new WeakRef(section));
  return section;
}

function deltaSection(typeUrl: string, resources: readonly EncodedResource[]): Uint8Array {
  const own = (resource: EncodedResource): readonly Field[] => [
    [0x0a, resource.version],
    [0x1a, resource.name],
  ];
  const type = fieldLength(typeUrl);
  const sizes = resources.map((resource) => {
    const any = type + fieldLength(resource.bytes);
    return { any, all: lengthOf(own(resource)) + delimited(any) };
  });
  const writer = new Writer(Buffer.allocUnsafe(sizes.reduce((sum, { all }) => sum + delimited(all), 0)));
  for (const [index, resource] of resources.entries()) {
    const { any, all } = sizes[index] ?? { any: 0, all: 0 };
    writer.start(0x12, all);
    for (const [tag, value] of own(resource)) writer.field(tag, value);
    writer.start(0x12, any);
    writer.field(0x0a, typeUrl);
    writer.field(0x12, resource.bytes);
  }
  return writer.bytes;
}

function sotwSection(typeUrl: string, resources: readonly EncodedResource[]): Uint8Array {
  const type = fieldLength(typeUrl);
  const sizes = resources.map(({ bytes }) => type + fieldLength(bytes));
  const writer = new Writer(Buffer.allocUnsafe(sizes.reduce((sum, any) => sum + delimited(any), 0)));
  for (const [index, { bytes }] of resources.entries()) {
    writer.start(0x12, sizes[index] ?? 0);
    writer.field(0x0a, typeUrl);
    writer.field(0x12, bytes);
  }
  return writer.bytes;
}

function lengthOf(fields: readonly Field[]): number {
  return fields.reduce((sum, [, value]) => sum + fieldLength(value), 0);
}

function fieldLength(value: string | Uint8Array): number {
  const size = typeof value === "string" ? Buffer.byteLength(value) : value.length;
  return size === 0 ? 0 : delimited(size);
}

/** With a tag of one byte and the length before it. */
function delimited(size: number): number {
  let length = size + 2;
  for (let rest = size; rest > 0x7f; rest >>>= 7) length += 1;
  return length;
}

/** Writes into memory of the right size. */
class Writer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  field(tag: number, value: string | Uint8Array): void {
    if (value.length === 0) return;
    this.start(tag, typeof value === "string" ? Buffer.byteLength(value) : value.length);
    if (typeof value === "string") this.#at += this.bytes.write(value, this.#at);
    else this.raw(value);
  }

  start(tag: number, length: number): void {
    this.bytes[this.#at++] = tag;
    let rest = length;
    for (; rest > 0x7f; rest >>>= 7) this.bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.bytes[this.#at++] = rest;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}
