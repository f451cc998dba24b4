import { isRecord } from "../job/fields.ts";

/**
 * Whether all that `wanted` says is so in `stored`, which may say more: Nomad fills in defaults when it registers a job.
 * Lists have to be of one length.
 */
export function includes(stored: unknown, wanted: unknown): boolean {
  if (isRecord(wanted)) {
    if (!isRecord(stored)) return Object.keys(wanted).length === 0 && (stored ?? null) === null;
    return Object.entries(wanted).every(([key, value]) => includes(stored[key], value));
  }
  if (Array.isArray(wanted)) {
    const list: readonly unknown[] = Array.isArray(stored) ? stored : [];
    return list.length === wanted.length && wanted.every((value, index) => includes(list[index], value));
  }
  return (stored ?? null) === (wanted ?? null) || JSON.stringify(stored) === JSON.stringify(wanted);
}
