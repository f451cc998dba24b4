import { posix } from "node:path";
import { isRecord, type JsonRecord } from "../job/fields.ts";

/** Where docker and podman take mounts, as blocks or as a list. */
const MOUNTS: readonly string[] = ["mount", "mounts"];

/**
 * The keys of a container's `config` by which it has a directory of the host from outside its allocation. What only a
 * client can tell counts as one.
 */
export function hostMounts(config: JsonRecord): readonly string[] {
  return [
    ...(asList(config["volumes"]).some((volume) => !isInside(sourceOf(volume))) ? ["volumes"] : []),
    ...(asList(config["volume_driver"]).some((driver) => driver !== "") ? ["volume_driver"] : []),
    ...MOUNTS.filter((key) => asList(config[key]).some(isOutside)),
  ];
}

/** Of `./data:/data:ro`. */
function sourceOf(volume: unknown): unknown {
  return typeof volume === "string" ? volume.split(":", 1)[0] : volume;
}

function isOutside(mount: unknown): boolean {
  if (!isRecord(mount)) return true;
  const { type = "volume", source = "" } = mount;
  if (type === "tmpfs") return false;
  // A volume is the container runtime's own, unless the job says what it is made of.
  if (type === "volume") return JSON.stringify(mount).includes('"driver_config"') || !isInside(source);
  return !isInside(source);
}

/** Relative to the task's directory, and not above that of its allocation. */
function isInside(source: unknown): boolean {
  if (typeof source !== "string" || source.includes("${") || posix.isAbsolute(source)) return false;
  return !posix.join("task", source).startsWith("..");
}

/** A block may be an object alone. */
function asList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
