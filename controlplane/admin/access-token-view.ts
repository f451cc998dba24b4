import type { AccessTokenReply } from "../../mesh/admin-api/replies.ts";
import type { AccessTokenRecord, AccessTokenStore } from "./access/access-token-store.ts";
import type { AccessTokenPort } from "./ports.ts";

/** The store of access tokens as the REST sees it. `now` in milliseconds since the epoch. */
export function accessTokenPort(store: AccessTokenStore, now: () => number): AccessTokenPort {
  return {
    create(name, grant, ttlMs) {
      const { id, token, expiresAt } = store.create(name, grant, ttlMs);
      return { id, token, expiresAt: toTime(expiresAt) };
    },
    list: () => store.list().map((record) => toReply(record, now())),
    revoke: (id) => store.revoke(id),
  };
}

function toReply(record: AccessTokenRecord, now: number): AccessTokenReply {
  const { id, name, grant, createdAt, expiresAt, lastUsedAt } = record;
  return {
    id,
    name,
    ...grant,
    state: expiresAt > now ? "active" : "expired",
    createdAt: toTime(createdAt),
    expiresAt: toTime(expiresAt),
    lastUsedAt: lastUsedAt === undefined ? null : toTime(lastUsedAt),
  };
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
