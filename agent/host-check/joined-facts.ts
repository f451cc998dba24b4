import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { agentStatePath } from "../identity/agent-state.ts";
import type { CertificateFacts } from "./server-findings.ts";

/** What a state directory says of the mesh that the host has joined. */
export interface JoinedFacts {
  readonly servers: readonly string[];
  readonly roots: readonly string[];
  readonly certificate: CertificateFacts;
}

const stateSchema = z.object({ servers: z.array(z.string()), chainPem: z.string() });
const bundleSchema = z.object({ roots: z.array(z.string()) });

/**
 * Looks without touching anything, as whoever may read it: the agent itself is stricter, and puts damaged files aside.
 * Undefined when the host has not joined, or when it cannot be read.
 */
export async function joinedFacts(stateDir: string): Promise<JoinedFacts | undefined> {
  try {
    const [state, bundle] = await Promise.all(
      [agentStatePath(stateDir), join(stateDir, "identity", "bundle.json")].map(
        async (path): Promise<unknown> => JSON.parse(await readFile(path, "utf8")),
      ),
    );
    const { servers, chainPem } = stateSchema.parse(state);
    const { validFromDate, validToDate } = new X509Certificate(chainPem);
    const certificate = {
      workload: "",
      notBeforeMs: validFromDate.getTime(),
      notAfterMs: validToDate.getTime(),
    };
    return { servers, roots: bundleSchema.parse(bundle).roots, certificate };
  } catch {
    return undefined;
  }
}
