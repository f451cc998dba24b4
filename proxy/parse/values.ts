import { isIP } from "node:net";
import { type MeshError, messageOf } from "../../mesh/errors.ts";
import type { Steps } from "../../mesh/lifecycle/slices.ts";
import type { Address, CidrRange, SocketAddress } from "../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import type { DataSource } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { ConfigSource } from "../../mesh/xds/gen/envoy/config/core/v3/config_source.ts";
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
} from "../../mesh/xds/gen/envoy/type/v3/percent.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import type { Duration } from "../../mesh/xds/gen/google/protobuf/duration.ts";
import { type SplitMessage, splitMessage } from "../../mesh/xds/split-message.ts";
import type { Cidr } from "../model/match.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";

/** Milliseconds of a duration; `fallback` when it is not set. */
export function milliseconds(duration: Duration | undefined, fallback: number): number {
  return duration === undefined ? fallback : duration.seconds * 1000 + duration.nanos / 1e6;
}

export function fraction(percent: FractionalPercent | undefined, fallback: number): number {
  if (percent === undefined) return fallback;
  const { TEN_THOUSAND, MILLION } = FractionalPercent_DenominatorType;
  const base = percent.denominator === MILLION ? 1e6 : percent.denominator === TEN_THOUSAND ? 1e4 : 100;
  return Math.min(1, percent.numerator / base);
}

/** A name as DNS has it. */
const HOST_NAME = /^(?=.{1,253}\.?$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?)+$/i;

/** IP address, or name where `names` are allowed, and port of a TCP socket. */
export function socketAddress(
  where: string,
  address: Address | undefined,
  allowed: "addresses" | "names" = "addresses",
): { address: string; port: number } {
  const socket = address?.socketAddress;
  if (socket === undefined) throw unsupported(where, "an address that is not a socket address");
  onlyFields(where, socket, ["address", "portValue"]);
  return placeOf(where, socket, allowed);
}

/** Where a listener is: an IP address and port; the wildcard of IPv6 may be for IPv4 too. */
export function listenedAddress(
  where: string,
  address: Address | undefined,
): { address: string; port: number; ipv4Compat: boolean } {
  const socket = address?.socketAddress;
  if (socket === undefined) throw unsupported(where, "an address that is not a socket address");
  onlyFields(where, socket, ["address", "portValue", "ipv4Compat"]);
  return { ...placeOf(where, socket, "addresses"), ipv4Compat: socket.ipv4Compat };
}

function placeOf(
  where: string,
  socket: SocketAddress,
  allowed: "addresses" | "names",
): { address: string; port: number } {
  if (isIP(socket.address) === 0 && !(allowed === "names" && HOST_NAME.test(socket.address))) {
    throw invalid(
      where,
      `"${socket.address}" is not an IP address${allowed === "names" ? " or a name" : ""}`,
    );
  }
  const port = socket.portValue;
  if (port === undefined || port < 1 || port > 65535)
    throw invalid(where, `port ${port ?? "none"} is out of range`);
  return { address: socket.address, port };
}

/** The path of a unix socket, `@name` for an abstract one; undefined where the address is none. */
export function socketPath(where: string, address: Address | undefined): string | undefined {
  if (address?.pipe === undefined) return undefined;
  const { path } = address.pipe;
  onlyFields(where, address.pipe, ["path"]);
  if (!/^[/@]./.test(path)) throw invalid(where, `"${path}" is no absolute path of a unix socket`);
  return path;
}

export function cidr(where: string, range: CidrRange): Cidr {
  const family = isIP(range.addressPrefix);
  if (family === 0) throw invalid(where, `"${range.addressPrefix}" is not an IP address`);
  const longest = family === 4 ? 32 : 128;
  const length = range.prefixLen ?? 0;
  if (length > longest) throw invalid(where, `prefix length ${length} is over ${longest}`);
  return { address: range.addressPrefix, length };
}

export function inlineBytes(where: string, source: DataSource | undefined): Uint8Array {
  if (source === undefined) return new Uint8Array();
  onlyFields(where, source, ["inlineBytes", "inlineString"]);
  return source.inlineBytes ?? new TextEncoder().encode(source.inlineString ?? "");
}

/** Only ADS: this proxy has no other connection. */
export function fromAds(where: string, source: ConfigSource | undefined): void {
  if (source?.ads === undefined) throw unsupported(where, "a configuration source other than ADS");
}

interface Decoder<T> {
  decode(bytes: Uint8Array): T;
}

/** The message inside an Any whose type is already known to be right. */
export function decode<T>(where: string, type: Decoder<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes);
  } catch (error) {
    throw undecodable(where, error);
  }
}

/** Each when its turn comes. */
export function* decodeEach<T>(
  where: string,
  type: Decoder<T>,
  parts: readonly Uint8Array[],
): Generator<T, void, undefined> {
  for (const part of parts) yield decode(where, type, part);
}

/** The message, with the values of a long list of messages in it apart. */
export function* split(where: string, bytes: Uint8Array, field: number): Steps<SplitMessage> {
  try {
    return yield* splitMessage(bytes, field);
  } catch (error) {
    throw undecodable(where, error);
  }
}

function undecodable(where: string, error: unknown): MeshError {
  return invalid(where, `cannot be decoded: ${messageOf(error)}`);
}

/** Name of the message in an Any: `envoy.extensions.filters.http.router.v3.Router`. */
export function anyType(any: Any | undefined): string {
  return any?.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1) ?? "";
}
