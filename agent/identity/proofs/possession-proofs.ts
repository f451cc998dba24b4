import { execFile } from "node:child_process";
import { createPrivateKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import { possessionStatement, SSH_NAMESPACE } from "../../../mesh/identity/possession.ts";
import type { HostProof } from "../host-proof.ts";

/** Where a certificate and its private key are. Both are read at each use: they may be rotated. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** An X.509 certificate of the host: PEM, leaf first, with what leads to the root. */
export function x509Proof({ certificate, key }: CertificateFiles): HostProof {
  const method = "x509-pop";
  return {
    method,
    purpose: method,
    challenged: true,
    repeatable: true,
    evidence: async (challenge, newPublicKeyDer) => {
      const statement = possessionStatement(method, challenge, newPublicKeyDer);
      try {
        const privateKey = createPrivateKey(await readFile(key, "utf8"));
        const hash = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
        const signature = sign(hash, statement, privateKey).toString("base64");
        return JSON.stringify({ chainPem: await readFile(certificate, "utf8"), signature });
      } catch (cause) {
        throw new MeshError("agent.join", `sign with ${key}: ${messageOf(cause)}`, { cause });
      }
    },
  };
}

/** OpenSSH's host certificate. `ssh-keygen` signs: it reads every kind of key that a host may have. */
export function sshProof({ certificate, key }: CertificateFiles): HostProof {
  const method = "ssh-pop";
  return {
    method,
    purpose: method,
    challenged: true,
    repeatable: true,
    evidence: async (challenge, newPublicKeyDer, signal) => {
      const statement = possessionStatement(method, challenge, newPublicKeyDer);
      try {
        const signature = await sshKeygen(key, statement, signal);
        return JSON.stringify({ certificate: await readFile(certificate, "utf8"), signature });
      } catch (cause) {
        throw new MeshError("agent.join", `sign with ${key}: ${messageOf(cause)}`, {
          cause,
          hint: "ssh-keygen must be installed, and the key readable",
        });
      }
    },
  };
}

function sshKeygen(key: string, message: Uint8Array, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { signal, timeout: 10_000, env: { PATH: process.env["PATH"] ?? "/usr/bin" } };
  const args = ["-q", "-Y", "sign", "-n", SSH_NAMESPACE, "-f", key];
  const child = execFile("ssh-keygen", args, options, (error, stdout) =>
    error === null ? resolve(stdout) : reject(error),
  );
  child.stdin?.on("error", reject);
  child.stdin?.end(message);
  return promise;
}
