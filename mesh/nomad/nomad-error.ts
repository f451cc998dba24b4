import { MeshError, messageOf } from "../errors.ts";

/** Nomad answered with another status than 200. */
export class NomadStatus extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, said: string) {
    super(`${statusCode} ${said}`.trimEnd());
    this.statusCode = statusCode;
  }
}

/** Whether Nomad does not take the token: it has expired, was deleted, or may not do this. */
export function isNomadRefusal(error: unknown): boolean {
  const { cause } = MeshError.from(error);
  if (!(cause instanceof NomadStatus)) return false;
  // A workload identity that is over is not a "permission denied": Nomad fails to verify it, with a 500.
  return (
    [401, 403].includes(cause.statusCode) || /token.*(expired|not found)|expired.*token/i.test(cause.message)
  );
}

interface Asked {
  readonly address: string;
  readonly tokenFile?: string | undefined;
}

/** `registry.unavailable` for whatever came in an answer's place. */
export function nomadFailure({ address, tokenFile }: Asked, path: string, cause: unknown): MeshError {
  const message = `ask Nomad at ${address} for ${path}: ${messageOf(cause)}`;
  const plain = new MeshError("registry.unavailable", message, { cause });
  const hint = isNomadRefusal(plain)
    ? tokenHint(tokenFile)
    : `see whether Nomad runs and is reached: nomad status -address=${address}`;
  return new MeshError("registry.unavailable", message, { cause, hint });
}

function tokenHint(tokenFile: string | undefined): string {
  const rights = "that may read jobs in the namespaces, nodes and the agent";
  return tokenFile === undefined
    ? `set tokenFile to a file with a token ${rights}`
    : `put a token ${rights} into ${tokenFile}: it is read again at once`;
}
