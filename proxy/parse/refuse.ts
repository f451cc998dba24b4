import { MeshError } from "../../mesh/errors.ts";

/** The refusal of something that this proxy does not implement; `where` names the resource and the place in it. */
export function unsupported(where: string, what: string): MeshError {
  return new MeshError("proxy.unsupported", `${where}: ${what} is not implemented`, {
    hint: "use Envoy as the data plane of this workload, or take the setting out",
  });
}

/** The refusal of something that no proxy could take. */
export function invalid(where: string, what: string): MeshError {
  return new MeshError("xds.rejected", `${where}: ${what}`, {
    hint: "the control plane sent a broken resource",
  });
}

/**
 * Refuses a message that sets anything beside `known`. An unset field and a field with its protobuf default are the
 * same thing, so that a newer control plane may spell defaults out.
 */
export function onlyFields<T extends object>(where: string, message: T, known: readonly (keyof T)[]): void {
  for (const key of Object.keys(message) as (keyof T & string)[]) {
    if (known.includes(key) || isUnset(message[key])) continue;
    throw unsupported(where, `field "${snakeCase(key)}"`);
  }
}

function isUnset(value: unknown): boolean {
  if (value === undefined || value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function required<T>(where: string, field: string, value: T | undefined): T {
  if (value === undefined) throw invalid(where, `field "${field}" is missing`);
  return value;
}

/** The name of an enumeration's value, for messages. */
export function nameOf(values: Readonly<Record<string, number | string>>, value: number | undefined): string {
  return Object.entries(values).find(([, number]) => number === value)?.[0] ?? String(value);
}
