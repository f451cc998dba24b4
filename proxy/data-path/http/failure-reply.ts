import { NO_ANSWER } from "../upstream/dial.ts";
import type { AttemptFailure } from "./attempt.ts";
import type { Limit } from "./deadlines.ts";
import type { LocalReply } from "./local-reply.ts";

const DEADLINE_EXCEEDED = 4;

/** What the caller is told when the last attempt has failed: Envoy's statuses, texts and flags. */
export function failureReply({ cause, reason }: AttemptFailure, attempts: number): LocalReply {
  switch (cause) {
    case "per-try-timeout":
      return {
        status: 504,
        body: "upstream request timeout",
        flag: "UT",
        details: "upstream_per_try_timeout",
      };
    case "overflow":
      return overflow();
    case "protocol":
      return { ...unavailable("protocol error", attempts), status: 502, flag: "UPE" };
    case "connect":
      return { ...unconnected(reason, attempts), flag: "UF" };
    case "reset":
      return { ...unavailable("connection termination", attempts), flag: "UC" };
    case "remote-reset":
      return { ...unavailable("remote reset", attempts), flag: "UR" };
    case "refused":
      return { ...unavailable("remote refused stream reset", attempts), flag: "UR" };
    default:
      return cause satisfies never;
  }
}

/** `complete`: the whole request has come. */
export function timedOut(limit: Limit, complete: boolean): LocalReply {
  switch (limit) {
    case "route":
      return { status: 504, body: "upstream request timeout", flag: "UT", details: "response_timeout" };
    case "idle":
      return { status: 504, body: "stream timeout", flag: "SI", details: "stream_idle_timeout" };
    case "duration":
      return {
        status: complete ? 504 : 408,
        grpcStatus: DEADLINE_EXCEEDED,
        body: "downstream duration timeout",
        details: "max_duration_timeout",
      };
    default:
      return limit satisfies never;
  }
}

export function noHealthyHost(): LocalReply {
  return { status: 503, body: "no healthy upstream", flag: "UH", details: "no_healthy_upstream" };
}

/** The cluster has as many requests or connections as it may have. */
export function overflow(): LocalReply {
  return {
    status: 503,
    body: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    flag: "UO",
    details: "upstream_reset_before_response_started{overflow}",
  };
}

function unconnected(reason: string, attempts: number): ReturnType<typeof unavailable> {
  if (reason === NO_ANSWER) return unavailable("connection timeout", attempts);
  const failure = unavailable("remote connection failure", attempts);
  const why = reason.replaceAll(" ", "_");
  return {
    ...failure,
    details: `upstream_reset_before_response_started{remote_connection_failure|${why}}`,
  };
}

function unavailable(reason: string, attempts: number): { status: number; body: string; details: string } {
  const which = attempts > 1 ? "retried and the latest reset reason" : "reset reason";
  return {
    status: 503,
    body: `upstream connect error or disconnect/reset before headers. ${which}: ${reason}`,
    details: `upstream_reset_before_response_started{${reason.replaceAll(" ", "_")}}`,
  };
}
