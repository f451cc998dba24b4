import type { TokenReply } from "../../mesh/admin-api/replies.ts";
import { formatJoinToken, type JoinToken } from "../../mesh/identity/join-token.ts";
import type { JoinTokenRecord, JoinTokenStore } from "../attest/join-token-store.ts";
import type { TokenPort } from "./ports.ts";

/** What a join token says beside its secret: where to go, and whom to believe there. */
export type TokenFacts = Omit<JoinToken, "secret">;

/** The token store as the REST sees it: whole tokens out, bindings in its own words. */
export function tokenPort(store: JoinTokenStore, facts: () => TokenFacts): TokenPort {
  return {
    create({ namespace, serviceAccounts, node, cidrs }, ttlMs) {
      const binding = { namespace, serviceAccounts, nodeName: node, cidrs };
      const { id, secret, expiresAt } = store.create({ binding, ttlMs });
      return {
        id,
        token: formatJoinToken({ ...facts(), secret }),
        expiresAt: new Date(expiresAt).toISOString(),
      };
    },
    list: () => store.list().map(toTokenReply),
    revoke: (id) => store.revoke(id),
  };
}

function toTokenReply({ id, state, createdAt, expiresAt, usedBy, binding }: JoinTokenRecord): TokenReply {
  return {
    id,
    state,
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    usedBy: usedBy ?? null,
    binding: {
      ...(binding.namespace === undefined ? {} : { namespace: binding.namespace }),
      ...(binding.serviceAccounts === undefined ? {} : { serviceAccounts: binding.serviceAccounts }),
      ...(binding.nodeName === undefined ? {} : { node: binding.nodeName }),
      ...(binding.cidrs === undefined ? {} : { cidrs: binding.cidrs }),
    },
  };
}
