import type { ErrorCode } from "../mesh/errors.ts";

/** What `lateen` exits with; documented by `lateen help exit-codes`. */
export const EXIT = {
  ok: 0,
  /** A clear "no": refused, rejected, not there. */
  negative: 1,
  /** Could not tell: unreachable, no credential, an internal failure. */
  undecided: 2,
  usage: 64,
  invalidInput: 65,
  findings: 79,
  timedOut: 124,
  interrupted: 130,
} as const;

const BY_CODE: Partial<Readonly<Record<ErrorCode, number>>> = {
  "admin.forbidden": EXIT.undecided,
  "admin.request": EXIT.usage,
  "admin.refused": EXIT.undecided,
  "admin.throttled": EXIT.undecided,
  "admin.unauthorized": EXIT.undecided,
  "admin.unavailable": EXIT.undecided,
  "agent.capture": EXIT.undecided,
  "audit.unavailable": EXIT.undecided,
  "ca.unavailable": EXIT.undecided,
  "cli.host": EXIT.undecided,
  "cli.unreachable": EXIT.undecided,
  "cli.usage": EXIT.usage,
  "config.invalid": EXIT.invalidInput,
  internal: EXIT.undecided,
  "mesh.too-large": EXIT.invalidInput,
  "object.invalid": EXIT.invalidInput,
  "registry.unavailable": EXIT.undecided,
  "store.failed": EXIT.undecided,
};

export function exitCodeOf(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.negative;
}
