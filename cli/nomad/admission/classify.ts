/** What a request to Nomad's HTTP API is to the admission. */
export type RequestKind =
  /** Goes through untouched. */
  | "pass"
  /** Carries a job: a registration, its plan, its validation. */
  | "job"
  /** Registers a version that Nomad has, or says that it is one to go back to. */
  | "revert"
  /** Its path cannot be read, so nor can be told what Nomad would make of it. */
  | "unreadable";

const JOB_PREFIX = "/v1/job/";
/** Ends of paths below `/v1/job/` that Nomad takes with PUT and registers nothing for. */
const HARMLESS =
  /\/(evaluate|allocations|evaluations|periodic\/force|summary|dispatch|dispatch\/payload|versions|deployments|deployment|scale|services|submission|actions|action|tag)$/;

const REVERT = /\/(revert|stable)$/;

/**
 * Reads method and path as Nomad's router does (command/agent/http.go): the path is decoded first, the end of what is
 * below `/v1/job/` decides, and any other end is a job's own path.
 */
export function classifyRequest(method: string, target: string): RequestKind {
  if (method !== "PUT" && method !== "POST") return "pass";
  const path = decodedPath(target);
  if (path === undefined) return "unreadable";
  if (path === "/v1/jobs" || path === "/v1/validate/job") return "job";
  if (!path.startsWith(JOB_PREFIX)) return "pass";
  // Without the prefix's own slash: `/v1/job/scale` is the job of that name.
  const rest = path.slice(JOB_PREFIX.length);
  if (rest.endsWith("/plan")) return "job";
  if (REVERT.test(rest)) return "revert";
  return HARMLESS.test(rest) ? "pass" : "job";
}

/** The job's ID in a path of the kind `revert`. */
export function revertedJob(target: string): string {
  return (decodedPath(target) ?? "").slice(JOB_PREFIX.length).replace(REVERT, "");
}

/**
 * Byte by byte, as Go does it: `%ff` is a byte there, and no error. Undefined: not in origin form (RFC 9112 §3.2.1), or a
 * `%` without its two digits, which Nomad refuses too.
 */
function decodedPath(target: string): string | undefined {
  if (!target.startsWith("/")) return undefined;
  const [path = ""] = target.split("?", 1);
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return undefined;
  const bytes = path.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
