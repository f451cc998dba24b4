import { setFlagsFromString } from "node:v8";

/**
 * Lets V8 count buffers with the heap when it decides when to collect. By default every 64 MiB of buffers start a
 * collection of everything: while a thousand proxies connect, each to a megabyte of configuration, that is several in a
 * second, and they take more CPU than all else.
 */
export function countBuffersWithHeap(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
