import { request } from "undici";
import * as z from "zod";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import { challengeDigits } from "../../../mesh/identity/possession.ts";
import type { HostProof } from "../host-proof.ts";

const TIMEOUT_MS = 5_000;

/** EC2's instance identity document, by the metadata service's second version. */
export function awsProof(metadata: string): HostProof {
  return onFirstUse("aws-iid", false, async (_, signal) => {
    const seconds = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
    const token = await ask(metadata, "/latest/api/token", seconds, signal, "PUT");
    const headers = { "x-aws-ec2-metadata-token": token };
    return ask(metadata, "/latest/dynamic/instance-identity/rsa2048", headers, signal);
  });
}

/** Compute Engine's instance identity token for an audience. */
export function gcpProof(metadata: string, audience: string): HostProof {
  const query = new URLSearchParams({ audience, format: "full" }).toString();
  const path = `/computeMetadata/v1/instance/service-accounts/default/identity?${query}`;
  return onFirstUse("gcp-iit", false, (_, signal) =>
    ask(metadata, path, { "metadata-flavor": "Google" }, signal),
  );
}

/** Azure's attested document, for the server's challenge. */
export function azureProof(metadata: string): HostProof {
  return onFirstUse("azure-imds", true, async (challenge, signal) => {
    const query = `api-version=2021-02-01&nonce=${challengeDigits(challenge)}`;
    const answer = await ask(metadata, `/metadata/attested/document?${query}`, { metadata: "true" }, signal);
    return z.object({ signature: z.string() }).parse(JSON.parse(answer)).signature;
  });
}

/** The server believes an instance's first key and no second one: it cannot be repeated. */
function onFirstUse(
  method: string,
  challenged: boolean,
  read: (challenge: Uint8Array, signal: AbortSignal) => Promise<string>,
): HostProof {
  return {
    method,
    purpose: method,
    challenged,
    repeatable: false,
    evidence: async (challenge, _, signal) => {
      try {
        return (await read(challenge, signal)).replaceAll(/\s/g, "");
      } catch (cause) {
        throw new MeshError("agent.join", `ask the metadata service: ${messageOf(cause)}`, {
          cause,
          hint: "it answers on the instance alone; is the hop limit large enough for a container?",
        });
      }
    },
  };
}

async function ask(
  metadata: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  method: "GET" | "PUT" = "GET",
): Promise<string> {
  const limits = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
  const { statusCode, body } = await request(new URL(path, metadata), { method, headers, signal, ...limits });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${path.split("?", 1)[0]} answers ${statusCode}`);
  return text;
}
