import type { AttemptFailure } from "./attempt.ts";
import type { LocalReply } from "./local-reply.ts";

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
    default:
      return cause satisfies never;
  }
}

export function timedOut(limit: "route" | "idle"): LocalReply {
  return limit === "route"
    ? { status: 504, body: "upstream request timeout", flag: "UT", details: "response_timeout" }
    : { status: 504, body: "stream timeout", flag: "SI", details: "stream_idle_timeout" };
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
