import type { HostProof } from "../host-proof.ts";
import { type Environment, readSecret } from "./secret-source.ts";

/** The workload identity that Nomad keeps fresh for the task. */
export function nomadProof(from: string, environment: Environment): HostProof {
  return {
    method: "nomad-jwt",
    purpose: "nomad-jwt",
    challenged: false,
    repeatable: true,
    ...(from.startsWith("file:") ? { file: from.slice("file:".length) } : {}),
    evidence: () => readSecret(from, environment),
  };
}

/** A Consul ACL token that may write this node and the services on it. */
export function consulProof(from: string, services: readonly string[], environment: Environment): HostProof {
  return {
    method: "consul-token",
    purpose: "consul-token",
    challenged: false,
    repeatable: true,
    evidence: async () => JSON.stringify({ token: await readSecret(from, environment), services }),
  };
}
