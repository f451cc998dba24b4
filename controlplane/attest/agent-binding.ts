import { MeshError } from "../../mesh/errors.ts";

/** What an agent is tied to by the way it joined. An undefined part ties nothing. */
export interface AgentBinding {
  readonly namespace: string | undefined;
  readonly serviceAccounts: readonly string[] | undefined;
  readonly nodeName: string | undefined;
  /** The addresses that it may join from, as the server sees them: `10.1.0.0/16`. */
  readonly cidrs: readonly string[] | undefined;
}

export const UNBOUND: AgentBinding = {
  namespace: undefined,
  serviceAccounts: undefined,
  nodeName: undefined,
  cidrs: undefined,
};

/** As the database has it. */
export function formatBinding(binding: AgentBinding): string {
  return JSON.stringify(binding);
}

/** Throws `store.failed` for what `formatBinding` did not write: no binding is ever guessed. */
export function parseBinding(text: string): AgentBinding {
  let value: Partial<Record<keyof AgentBinding, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MeshError("store.failed", "read an agent's binding", { cause });
  }
  const { namespace, serviceAccounts, nodeName, cidrs } = value ?? {};
  const texts = isTextOrNothing(namespace) && isTextOrNothing(nodeName);
  if (!texts || !isListOrNothing(serviceAccounts) || !isListOrNothing(cidrs)) {
    throw new MeshError("store.failed", "read an agent's binding", { hint: "restore the database" });
  }
  return { namespace, serviceAccounts, nodeName, cidrs };
}

function isTextOrNothing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isListOrNothing(value: unknown): value is readonly string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((entry) => typeof entry === "string"));
}
