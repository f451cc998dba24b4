import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../../mesh/errors.ts";
import { finish } from "../../mesh/lifecycle/slices.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import { parseCluster } from "../../proxy/parse/cluster.ts";
import { parseLoadAssignment } from "../../proxy/parse/endpoints.ts";
import { parseListener } from "../../proxy/parse/listener.ts";
import { parseOnDemandHost, parseRouteConfiguration } from "../../proxy/parse/route.ts";
import { parseSecret } from "../../proxy/parse/tls.ts";
import { compileRouteTable } from "../../proxy/tables/route-table.ts";
import { mutateMessage } from "../engine/mutate-message.ts";
import type { Target } from "../target.ts";

type Kind = keyof typeof TYPE_URL;

const GOLDENS = join(import.meta.dirname, "../../controlplane/translate");
const LONGEST = 8192;
const MOST_SEEDS = 80;
const NAME = "n";
/** Thrown by the decoder of protobuf for bytes that are no message. */
const NO_MESSAGE =
  /^(?:premature EOF|invalid (?:varint|wire type|tag|UTF)|illegal tag|cant skip|index out of range|.*not.*UTF-8)/i;

const SECRETS: readonly JsonValue[] = [
  {
    name: NAME,
    validationContext: {
      trustedCa: { inlineString: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" },
    },
  },
  {
    name: NAME,
    tlsCertificate: { certificateChain: { inlineString: "c" }, privateKey: { inlineString: "k" } },
  },
];

const PARSERS: Readonly<Partial<Record<Kind, (bytes: Uint8Array) => unknown>>> = {
  listener: (bytes) => parseListener(bytes, NAME),
  route: (bytes) => finish(compileRouteTable(finish(parseRouteConfiguration(bytes, NAME)))),
  virtualHost: (bytes) => finish(parseOnDemandHost(bytes, NAME)),
  cluster: (bytes) => parseCluster(bytes, NAME),
  endpoints: (bytes) => parseLoadAssignment(bytes, NAME),
  secret: (bytes) => parseSecret(bytes, NAME),
};

/** Resources of the control plane's goldens, and what changes make of them: taken, or refused with a reason. */
export const xdsTargets: readonly Target[] = Object.entries(PARSERS).map(([kind, parse]) => ({
  name: `xds-${kind.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`,
  longest: LONGEST,
  words: [
    "type.googleapis.com/",
    "envoy.filters.http.router",
    "*",
    "a.*",
    "(a*)*b",
    "x{1000}",
    "127.0.0.1",
    "::1",
    "%REQ(A)%",
    "\xff",
  ],
  seeds: () => seedsOf(kind as Kind),
  mutate: mutateMessage,
  run(input) {
    try {
      parse(input);
    } catch (error) {
      const isDeclared =
        error instanceof MeshError || (error instanceof Error && NO_MESSAGE.test(error.message));
      if (!isDeclared) throw error;
    }
  },
}));

function seedsOf(kind: Kind): readonly Buffer[] {
  const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));
  const resources = kind === "secret" ? [...SECRETS] : [];
  for (const file of globSync("**/golden/*.json", { cwd: GOLDENS, exclude: ["patches/**"] }).sort()) {
    const golden = JSON.parse(readFileSync(join(GOLDENS, file), "utf8")) as Record<string, JsonValue>;
    // Of secrets a golden file tells the names alone.
    if (kind !== "secret") resources.push(...[golden[kind] ?? []].flat());
  }
  const encoded = resources.map((one) => Buffer.from(json.jsonToResource(TYPE_URL[kind], one)));
  const short = encoded.filter(({ length }) => length <= LONGEST);
  const unique = new Map(short.map((bytes) => [bytes.toString("base64"), bytes]));
  const spread = [...unique.values()];
  return spread.filter((_, index) => index % Math.ceil(spread.length / MOST_SEEDS) === 0);
}
