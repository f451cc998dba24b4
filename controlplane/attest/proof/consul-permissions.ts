import { Agent, request } from "undici";
import * as z from "zod";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

/** What a token is asked to allow, in Consul's words. */
export interface ConsulPermission {
  readonly resource: "service" | "node";
  readonly access: "read" | "write";
  /** The name of the service or the node. */
  readonly name: string;
}

/**
 * Which of the permissions a token gives; undefined for a token that Consul does not know. Throws
 * `registry.unavailable` when Consul does not answer.
 */
export type AskConsul = (
  token: string,
  permissions: readonly ConsulPermission[],
  signal: AbortSignal,
) => Promise<readonly boolean[] | undefined>;

interface ConsulJudge extends AsyncDisposable {
  readonly ask: AskConsul;
}

const answerSchema = z.array(
  z.object({ Resource: z.string(), Access: z.string(), Segment: z.string(), Allow: z.boolean() }),
);
const TIMEOUT_MS = 5_000;
const LARGEST_ANSWER_BYTES = 1 << 20;

/**
 * Asks a Consul (1.8 or newer, with ACLs) to judge tokens: `/v1/internal/acl/authorize` evaluates policies, roles and
 * identities as Consul itself does for a registration. The token goes into one header of one request and into nothing
 * else.
 */
export function consulJudge(address: string): ConsulJudge {
  const url = new URL("/v1/internal/acl/authorize", address);
  const dispatcher = new Agent({
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: LARGEST_ANSWER_BYTES,
    connect: { timeout: TIMEOUT_MS },
  });
  return {
    ask: async (token, permissions, signal) => {
      const asked = permissions.map(toWire);
      try {
        const { statusCode, body } = await request(url, {
          dispatcher,
          method: "POST",
          headers: { "x-consul-token": token, "content-type": "application/json" },
          body: JSON.stringify(asked),
          signal,
        });
        const text = await body.text();
        if (statusCode === 403) return undefined;
        if (statusCode !== 200) throw new Error(`${statusCode} ${text.slice(0, 200)}`);
        const allowed = answerSchema.parse(JSON.parse(text)).filter(({ Allow }) => Allow);
        return asked.map((one) => allowed.some((other) => isSame(one, other)));
      } catch (error) {
        const what = `ask Consul at ${address} about a token: ${messageOf(error)}`;
        throw new MeshError("registry.unavailable", what, { hint: "look whether it runs with ACLs enabled" });
      }
    },
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

interface WirePermission {
  readonly Resource: string;
  readonly Access: string;
  readonly Segment: string;
}

function toWire({ resource, access, name }: ConsulPermission): WirePermission {
  return { Resource: resource, Access: access, Segment: name };
}

function isSame(a: WirePermission, b: WirePermission): boolean {
  return a.Resource === b.Resource && a.Access === b.Access && a.Segment === b.Segment;
}
