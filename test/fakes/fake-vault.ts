import { createPublicKey } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseCsr } from "../../mesh/identity/csr.ts";
import { intermediateCa, newCaKey, rootCa } from "../harness/ca-certificates.ts";
import { mint } from "../harness/test-certificates.ts";

/**
 * Vault's PKI engine as far as its API documentation describes `POST /v1/<mount>/root/sign-intermediate`: the token in a
 * header, errors as `{"errors": […]}`, names and extensions taken from the request with `use_csr_values` alone.
 */
export class FakeVault implements AsyncDisposable {
  readonly token = "hvs.fake-token";
  readonly requests: Readonly<Record<string, unknown>>[] = [];
  /** An engine that signs without the extensions that were asked for. */
  ignoresExtensions = false;
  readonly #trustDomain: string;
  readonly #root: ReturnType<typeof rootCa>;
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response);
  });

  private constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
    this.#root = rootCa(trustDomain, newCaKey("P-256"));
  }

  static async start(trustDomain: string): Promise<FakeVault> {
    const vault = new FakeVault(trustDomain);
    await new Promise<void>((resolve) => vault.#server.listen(0, "127.0.0.1", resolve));
    return vault;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await this.#answer(request);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage): Promise<{ readonly status: number; readonly body: unknown }> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (request.headers["x-vault-token"] !== this.token) {
      return {
        status: 403,
        body: { errors: ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"] },
      };
    }
    if (request.method !== "POST" || request.url !== "/v1/pki/root/sign-intermediate") {
      return {
        status: 404,
        body: { errors: [`no handler for route "${request.url}". route entry not found.`] },
      };
    }
    const wanted = JSON.parse(text) as Readonly<Record<string, unknown>>;
    this.requests.push(wanted);
    if (typeof wanted["csr"] !== "string") return { status: 400, body: { errors: ['"csr" is empty'] } };
    const { publicKeyDer } = parseCsr(wanted["csr"]);
    const key = createPublicKey({ key: publicKeyDer, format: "der", type: "spki" });
    const copies = wanted["use_csr_values"] === true && !this.ignoresExtensions;
    const certificate = copies
      ? intermediateCa(this.#root, this.#trustDomain, key).toString()
      : mint({ isCa: true, keyUsage: 0x06, extendedKeyUsage: undefined, commonName: "bare" }).pem;
    const issuing = this.#root.certificate.toString().trim();
    const data = {
      certificate: certificate.trim(),
      issuing_ca: issuing,
      ca_chain: [issuing],
      serial_number: "1",
    };
    return { status: 200, body: { request_id: "1", lease_id: "", renewable: false, data, warnings: null } };
  }
}
