const EARLIEST = 0.5;
const LATEST = 0.7;
/** From here on there is no time left to spread renewals over. */
const OVERDUE = 0.9;

/**
 * The wall-clock time at which to renew a certificate: uniform over 50 to 70 % of its life, so that certificates issued
 * together are not renewed together. `random` is in [0, 1) and belongs to the certificate: draw it once.
 */
export function renewAtMs(notBeforeMs: number, notAfterMs: number, random: number): number {
  const life = Math.max(0, notAfterMs - notBeforeMs);
  return Math.round(notBeforeMs + life * (EARLIEST + (LATEST - EARLIEST) * random));
}

/** True from 90 % of the life on: renew now, whatever was planned (a clock that jumped, a host that slept). */
export function isRenewalOverdue(notBeforeMs: number, notAfterMs: number, nowMs: number): boolean {
  return nowMs >= notBeforeMs + (notAfterMs - notBeforeMs) * OVERDUE;
}

/** How long to wait before renewing: 0 when it is due or overdue. */
export function renewalDelayMs(
  validity: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
  random: number,
): number {
  const { notBeforeMs, notAfterMs } = validity;
  if (isRenewalOverdue(notBeforeMs, notAfterMs, nowMs)) return 0;
  return Math.max(0, renewAtMs(notBeforeMs, notAfterMs, random) - nowMs);
}
