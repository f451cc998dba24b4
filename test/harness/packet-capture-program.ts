/** Runs in a network namespace of a test and hears every frame on its wires (PacketCapture). */
import { createRequire } from "node:module";

interface Koffi {
  load(library: null): { func(declaration: string): (...args: unknown[]) => number };
}

/** packet(7), in the byte order of the network. */
const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0300;
const MSG_DONTWAIT = 0x40;
const LONGEST_FRAME = 65_536;
const LOOK_MS = 2;
/** Of all frames together: older ones are forgotten. */
const MOST_BYTES = 64 << 20;

const libc = (createRequire(import.meta.url)("koffi") as Koffi).load(null);
const socket = libc.func("int socket(int, int, int)");
const recv = libc.func("long recv(int, _Out_ uint8_t *buffer, size_t, int)");

const fd = socket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
if (fd < 0) throw new Error("no packet socket");
const frames: Buffer[] = [];
let bytes = 0;

function takeAll(): void {
  const buffer = Buffer.alloc(LONGEST_FRAME);
  for (;;) {
    const length = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
    if (length <= 0) return;
    frames.push(Buffer.from(buffer.subarray(0, length)));
    bytes += length;
    while (bytes > MOST_BYTES) bytes -= frames.shift()?.length ?? 0;
  }
}

setInterval(takeAll, LOOK_MS);
process.on("message", (text: string) => {
  takeAll();
  process.send?.({ frames: frames.length, found: frames.filter((frame) => frame.includes(text)).length });
});
process.on("disconnect", () => process.exit());
process.send?.("listening");
