import type { Tracing } from "../../model/tracing.ts";

/** Why a request is traced, as Envoy writes it into the fifteenth digit of the ID that requests have. */
const REASONS = { random: "9", service: "a", client: "b" } as const;
const NOT_TRACED = "4";
const REASON_AT = 14;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

interface Asked {
  /** Empty: it has none. */
  readonly requestId: string;
  readonly header: (name: string) => string | undefined;
}

/**
 * Whether a request is traced whose caller has not decided it, by Envoy's rules: an ID that says so; else whoever asks for
 * it with `x-client-trace-id` or `x-envoy-force-trace`; else chance. `requestId` is the ID with what was decided in it.
 */
export function sample(
  { requestId, header }: Asked,
  { clientSampling, randomSampling, overallSampling }: Tracing,
  random: () => number,
): { readonly sampled: boolean; readonly requestId: string } {
  const isUuid = UUID.test(requestId);
  const known = isUuid ? requestId[REASON_AT] : undefined;
  if (known === REASONS.random || known === REASONS.service || known === REASONS.client)
    return { sampled: passes(overallSampling, random), requestId };
  const reason =
    header("x-client-trace-id") !== undefined && passes(clientSampling, random)
      ? REASONS.client
      : header("x-envoy-force-trace") !== undefined
        ? REASONS.service
        : passes(randomSampling, random)
          ? REASONS.random
          : undefined;
  const sampled = reason !== undefined && passes(overallSampling, random);
  const digit = sampled ? reason : NOT_TRACED;
  const said = isUuid ? requestId.slice(0, REASON_AT) + digit + requestId.slice(REASON_AT + 1) : requestId;
  return { sampled, requestId: said };
}

function passes(share: number, random: () => number): boolean {
  return share >= 1 || (share > 0 && random() < share);
}
