import { MeshError } from "../../mesh/errors.ts";

/** What a join token ties its agent to. An undefined part ties nothing. */
export interface AgentBinding {
  readonly namespace: string | undefined;
  readonly serviceAccounts: readonly string[] | undefined;
  readonly nodeName: string | undefined;
}

export const UNBOUND: AgentBinding = {
  namespace: undefined,
  serviceAccounts: undefined,
  nodeName: undefined,
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
  const { namespace, serviceAccounts, nodeName } = value ?? {};
  if (!isTextOrNothing(namespace) || !isTextOrNothing(nodeName) || !isListOrNothing(serviceAccounts)) {
    throw new MeshError("store.failed", "read an agent's binding", { hint: "restore the database" });
  }
  return { namespace, serviceAccounts, nodeName };
}

function isTextOrNothing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function isListOrNothing(value: unknown): value is readonly string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((entry) => typeof entry === "string"));
}
