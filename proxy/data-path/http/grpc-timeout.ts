const FORM = /^(\d{1,8})([HMSmun])$/;

const MILLISECONDS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** The value of `grpc-timeout` in whole milliseconds, rounded up (gRPC over HTTP/2, "Requests"); undefined when it is none. */
export function parseGrpcTimeout(value: string | undefined): number | undefined {
  const [, amount, unit = ""] = FORM.exec(value ?? "") ?? [];
  return amount === undefined ? undefined : Math.ceil(Number(amount) * (MILLISECONDS[unit] ?? 0));
}
