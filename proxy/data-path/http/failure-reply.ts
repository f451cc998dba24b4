import type { AttemptFailure } from "./attempt.ts";
import type { Limit } from "./deadlines.ts";
import type { LocalReply } from "./local-reply.ts";

const DEADLINE_EXCEEDED = 4;

/** What the caller is told when the last attempt has failed: Envoy's statuses, texts and flags. */
export function failureReply({ cause }: AttemptFailure, attempts: number): LocalReply {
  switch (cause) {
    case "per-try-timeout":
      return {
        status: 504,
        body: "upstream request timeout",
        flag: "UT",
        details: "upstream_per_try_timeout",
      };
    case "overflow":
      return overflow("connection limit of the cluster");
    case "protocol":
      return { ...unavailable("protocol error", attempts), status: 502, flag: "UPE" };
    case "connect":
      return { ...unavailable("connection failure", attempts), flag: "UF" };
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

export function overflow(what: string): LocalReply {
  return {
    status: 503,
    body: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
    flag: "UO",
    details: `overflow{${what.replaceAll(" ", "_")}}`,
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
