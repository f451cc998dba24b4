import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodedResource } from "../../controlplane/translate/encode.ts";
import { listenerOf } from "../../controlplane/translate/routes/testing/listener-of.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { mint, mintCrl, mintRoot } from "./test-certificates.ts";

type Json = { readonly [key: string]: unknown };
type Kind = keyof typeof TYPE_URL;

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
const SERVED = ["cluster", "endpoints", "listener", "route", "extension"] as const;

/** Turns golden files into what an Envoy can be given: with certificates where they name some, and no port taken. */
export class GoldenResources {
  readonly #folder: string;
  readonly #root = mintRoot();
  readonly #leaf = mint({ issuer: this.#root, commonName: "golden" });

  /** The certificate files that clusters and listeners name are written into this folder. */
  constructor(folder: string) {
    this.#folder = folder;
    const files = {
      "client.pem": this.#leaf.pem,
      "client.key": this.#leaf.keyPem,
      "tls.crt": this.#leaf.pem,
      "tls.key": this.#leaf.keyPem,
      "roots.pem": this.#root.pem,
      "ca.crt": this.#root.pem,
      "crl.pem": mintCrl(this.#root),
      "ca.crl": mintCrl(this.#root),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  }

  /** All resources of a golden file, and the secrets that they ask for. */
  read(path: string): ReadonlyMap<TypeUrl, ResourceMap> {
    const text = readFileSync(path, "utf8")
      .replaceAll("/etc/ssl/certs/ca-certificates.crt", join(this.#folder, "roots.pem"))
      .replaceAll("/etc/certs/", `${this.#folder}/`);
    const golden = JSON.parse(text) as { readonly [key: string]: unknown };
    const types = new Map<TypeUrl, ResourceMap>();
    const put = (kind: Kind, resources: readonly Json[]): void => {
      const encoded = resources.map((one) =>
        encodedResource(nameOf(one), json.jsonToResource(TYPE_URL[kind], one as JsonValue)),
      );
      if (encoded.length > 0) types.set(TYPE_URL[kind], resourceMap(encoded));
    };
    const withListener = { ...golden, ...listenerFor(golden["virtualHost"]) } as Record<string, Json[]>;
    for (const kind of SERVED) {
      const resources = withListener[kind] ?? [];
      put(kind, kind === "listener" ? resources.map((one) => ({ ...one, bindToPort: false })) : resources);
    }
    put(
      "secret",
      [...secretNames(golden)].map((name) => this.#secret(name)),
    );
    return types;
  }

  #secret(name: string): Json {
    if (name === "ROOTCA" || name.endsWith("-cacert"))
      return { name, validationContext: { trustedCa: { inlineString: this.#root.pem } } };
    return {
      name,
      tlsCertificate: {
        certificateChain: { inlineString: this.#leaf.pem },
        privateKey: { inlineString: this.#leaf.keyPem },
      },
    };
  }
}

/** A virtual host alone is no resource: it gets a listener with the filters that its routes count on. */
function listenerFor(virtualHost: unknown): Json {
  return virtualHost === undefined ? {} : { listener: [listenerOf(20_000, [virtualHost])] };
}

function nameOf(resource: Json): string {
  return String(resource["name"] ?? resource["clusterName"]);
}

/** Names of all secrets that are to be had by SDS. */
function secretNames(value: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (value === null || typeof value !== "object") return names;
  if ("sdsConfig" in value && "name" in value) names.add(String(value.name));
  for (const inner of Object.values(value)) secretNames(inner, names);
  return names;
}
