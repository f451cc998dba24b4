import { createRequire } from "node:module";
import { MeshError, messageOf } from "../../mesh/errors.ts";

/** What Node has no call for. Each returns -1 when it fails, and then `errno` says why. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, data: Buffer, length: number, flags: number, address: Buffer, size: number): number;
  close(fd: number): number;
  /** `length` is a little- or big-endian uint32, as this machine has it. */
  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number;
  errno(): number;
}

interface Koffi {
  load(library: null): { func(declaration: string): unknown };
  errno(): number;
}

let loaded: Libc | undefined;

/** Loads libc through koffi at the first use. Throws `internal` when koffi has no build for this platform. */
export function libc(): Libc {
  if (loaded !== undefined) return loaded;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const library = koffi.load(null);
    loaded = {
      socket: library.func("int socket(int, int, int)"),
      sendto: library.func("long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)"),
      close: library.func("int close(int)"),
      getsockopt: library.func("int getsockopt(int, int, int, void *, void *)"),
      errno: () => koffi.errno(),
    } as unknown as Libc;
    return loaded;
  } catch (cause) {
    throw new MeshError("internal", `load libc: ${messageOf(cause)}`, {
      cause,
      hint:
        "the package koffi has no build for this platform; systemd is told through systemd-notify instead, and callers " +
        "of the Workload API cannot be told apart",
    });
  }
}
