import { readFile } from "node:fs/promises";
import { Agent, request } from "undici";
import * as z from "zod";
import { MeshError, messageOf } from "../errors.ts";

export interface NomadSettings {
  /** `http://127.0.0.1:4646`. */
  readonly address: string;
  /** Read again before each request, so that a rotated token needs no restart. */
  readonly tokenFile?: string | undefined;
  /** PEM of the CA that Nomad's own certificate is of; the system's unless given. */
  readonly caFile?: string | undefined;
}

/** One allocation, as far as it is read. */
export interface NomadAllocation {
  readonly id: string;
  readonly namespace: string;
  readonly jobId: string;
  readonly nodeName: string;
  /** What is wanted of it: `run`, `stop`, `evict`. */
  readonly desiredStatus: string;
  /** What its node says of it: `pending`, `running`, `complete`, `failed`, `lost`, `unknown`. */
  readonly clientStatus: string;
}

/** What Lateen asks of a Nomad. Each call throws `registry.unavailable` for whatever is not an answer, and when aborted. */
export interface NomadClient extends AsyncDisposable {
  readonly address: string;
  /** Undefined when there is none with this id. */
  allocation(id: string, signal: AbortSignal): Promise<NomadAllocation | undefined>;
  /** The JWK set that workload identities are signed with, not looked into yet. */
  signingKeys(signal: AbortSignal): Promise<unknown>;
}

const allocationSchema = z
  .object({
    ID: z.string(),
    Namespace: z.string(),
    JobID: z.string(),
    NodeName: z.string().default(""),
    DesiredStatus: z.string(),
    ClientStatus: z.string(),
  })
  .transform(
    (found): NomadAllocation => ({
      id: found.ID,
      namespace: found.Namespace,
      jobId: found.JobID,
      nodeName: found.NodeName,
      desiredStatus: found.DesiredStatus,
      clientStatus: found.ClientStatus,
    }),
  );

const TIMEOUT_MS = 5_000;
const LARGEST_ANSWER_BYTES = 8 << 20;
const ALLOCATION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Opens no connection before the first request. Redirects are not followed. */
export async function nomadClient(settings: NomadSettings): Promise<NomadClient> {
  const { address, tokenFile, caFile } = settings;
  const dispatcher = new Agent({
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: LARGEST_ANSWER_BYTES,
    connect: { timeout: TIMEOUT_MS, ...(caFile === undefined ? {} : { ca: await readFile(caFile, "utf8") }) },
  });
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    try {
      const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
      const headers = token === undefined ? {} : { "x-nomad-token": token };
      const { statusCode, body } = await request(new URL(path, address), { dispatcher, headers, signal });
      const text = await body.text();
      if (statusCode === 404) return undefined;
      if (statusCode !== 200) throw new Error(`${statusCode} ${text.slice(0, 200)}`);
      return JSON.parse(text);
    } catch (cause) {
      throw new MeshError(
        "registry.unavailable",
        `ask Nomad at ${address} for ${path}: ${messageOf(cause)}`,
        {
          cause,
          hint: "look whether it runs, and whether the token may read jobs",
        },
      );
    }
  };
  return {
    address,
    async allocation(id, signal) {
      if (!ALLOCATION_ID.test(id)) return undefined;
      const answer = await get(`/v1/allocation/${id}`, signal);
      if (answer === undefined) return undefined;
      const parsed = allocationSchema.safeParse(answer);
      if (parsed.success) return parsed.data;
      throw new MeshError(
        "registry.unavailable",
        `read what Nomad at ${address} says of the allocation ${id}`,
      );
    },
    signingKeys: (signal) => get("/.well-known/jwks.json", signal),
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}
