import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a cloud's metadata service is asked for, by path; each with what it insists on. */
export interface MetadataAnswers {
  readonly aws?: () => string | Promise<string>;
  readonly gcp?: (audience: string) => string | Promise<string>;
  readonly azure?: (nonce: string) => string | Promise<string>;
}

const AWS_SESSION = "AQAEAK-session";

/** The metadata services of three clouds, each with its own paths, headers and refusals. */
export async function startMetadataDouble(
  answers: MetadataAnswers,
): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((request, response) => {
    answer(request, answers).then(
      (text) => response.end(text),
      (error: unknown) => refuse(response, error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

class Refusal extends Error {}

async function answer(
  { method, url = "", headers }: IncomingMessage,
  answers: MetadataAnswers,
): Promise<string> {
  const { pathname, searchParams } = new URL(url, "http://metadata");
  switch (pathname) {
    case "/latest/api/token":
      insist(method === "PUT" && headers["x-aws-ec2-metadata-token-ttl-seconds"] !== undefined);
      return AWS_SESSION;
    case "/latest/dynamic/instance-identity/rsa2048":
      insist(headers["x-aws-ec2-metadata-token"] === AWS_SESSION);
      return wrapped(await said(answers.aws?.()));
    case "/computeMetadata/v1/instance/service-accounts/default/identity":
      insist(headers["metadata-flavor"] === "Google" && searchParams.get("format") === "full");
      return said(answers.gcp?.(searchParams.get("audience") ?? ""));
    case "/metadata/attested/document":
      insist(headers["metadata"] === "true" && /^\d{10}$/.test(searchParams.get("nonce") ?? ""));
      return JSON.stringify({
        encoding: "pkcs7",
        signature: await said(answers.azure?.(searchParams.get("nonce") ?? "")),
      });
    default:
      throw new Refusal();
  }
}

function insist(holds: boolean): void {
  if (!holds) throw new Refusal();
}

async function said(text: string | Promise<string> | undefined): Promise<string> {
  const found = await text;
  if (found === undefined) throw new Refusal();
  return found;
}

/** As AWS sends it: in lines of 76. */
function wrapped(text: string): string {
  return text.replaceAll(/(.{76})/g, "$1\n");
}

function refuse(response: ServerResponse, error: unknown): void {
  response.statusCode = error instanceof Refusal ? 400 : 500;
  response.end();
}
