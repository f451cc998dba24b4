import * as z from "zod";
import { type ConfigSources, loadConfig } from "../mesh/config/load-config.ts";
import { consulAddress, consulName, consulTls, readingKeys } from "../mesh/consul/consul-config.ts";
import { isIpRange } from "../mesh/model/dns-names.ts";
import { nomadShape } from "../mesh/nomad/nomad-settings.ts";
import { adminSection } from "./admin/admin-config.ts";
import { attestSchema } from "./attest/attest-config.ts";

const port = z.number().int().min(0).max(65_535);
const domain = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,253}[a-z0-9])?$/, "must be a lower-case DNS name");
const hostPort = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, "must be host:port, as in mesh.example:15012");

const schema = z.strictObject({
  /** Names every identity of the mesh: `spiffe://<trustDomain>/…`. It cannot be changed later. */
  trustDomain: domain.default("cluster.local"),
  /** `reviews` in namespace `default` is `reviews.default.svc.<domainSuffix>`. */
  domainSuffix: domain.default("cluster.local"),
  /** Policies in this namespace hold for the whole mesh. */
  rootNamespace: z.string().default("istio-system"),
  stateDir: z.string().default("/var/lib/lateen/server"),
  runDir: z.string().default("/run/lateen"),
  agents: z
    .strictObject({
      address: z.string().default("0.0.0.0"),
      port: port.default(15_012),
      /** `host:port` as agents reach this server; goes into join tokens. Empty: the host's name and the port. */
      advertise: z.array(hostPort).default([]),
    })
    .prefault({}),
  admin: adminSection,
  health: z
    .strictObject({ address: z.string().default("127.0.0.1"), port: port.default(15_014) })
    .prefault({}),
  /** How hosts may prove who they are. */
  attest: attestSchema.prefault({}),
  /** The catalog to read. Left out: the embedded registry and what agents register. */
  consul: z
    .strictObject({
      address: consulAddress.default("http://127.0.0.1:8500"),
      /** Re-read before each use, so that a rotated token needs no restart. */
      tokenFile: z.string().optional(),
      tls: consulTls,
      /** The server's own first. Empty: that of the agent that is asked. */
      datacenters: z.array(consulName).default([]),
      /** Of Consul Enterprise. Empty: the token's own. */
      namespaces: z.array(consulName).default([]),
      partition: consulName.optional(),
      ...readingKeys,
    })
    .optional(),
  /** The native services of a Nomad region, beside whatever else is read. Left out: none. */
  nomad: z
    .strictObject({
      ...nomadShape,
      /** Of Nomad's; `*`: all that the token may read. */
      namespace: z.string().default("*"),
    })
    .optional(),
  /** A directory of Istio YAML that is watched and applied. */
  policyDir: z.string().optional(),
  /** Milliseconds of quiet before a burst of changes is published, and the longest that it may be held back. */
  debounce: z
    .strictObject({ quietMs: z.number().min(0).default(10), capMs: z.number().min(0).default(100) })
    .prefault({}),
  /** How the keys are fetched that RequestAuthentications name. */
  jwks: z
    .strictObject({
      /** Also without TLS. */
      allowHttp: z.boolean().default(false),
      /** Addresses and CIDR blocks of this host and of private networks that may be asked. */
      allowAddresses: z
        .array(z.string().refine(isIpRange, "must be an IP address or a CIDR range"))
        .default([]),
      /** PEM of authorities beside those that Node knows. */
      caFile: z.string().optional(),
      refreshSeconds: z.number().int().min(10).max(86_400).default(1_200),
    })
    .prefault({}),
  /** Where the mesh's certificates come from. */
  ca: z
    .strictObject({
      source: z.enum(["self-signed", "cacerts", "pkcs11", "vault"]).default("self-signed"),
      /** The file with the passphrase that the CA's keys are sealed under on disk; re-read at each start. */
      passphraseFile: z.string().optional(),
      /** A CA that was made elsewhere, with the file names of Istio's secret `cacerts`. */
      cacerts: z
        .strictObject({
          dir: z.string().default("/etc/lateen.d/cacerts"),
          /** Whether no other mesh has leaves under its root: then bans reach peers as revocation lists. */
          ownsRoot: z.boolean().default(false),
        })
        .prefault({}),
      /** A root whose key stays in a token; it signs the CAs that sign leaves. */
      pkcs11: z
        .strictObject({
          module: z.string().default("/usr/lib/softhsm/libsofthsm2.so"),
          tokenLabel: z.string().default("lateen"),
          keyLabel: z.string().default("lateen-root"),
          pinFile: z.string().default("/etc/lateen.d/pkcs11.pin"),
        })
        .prefault({}),
      /** A root in Vault's PKI engine; it signs the CAs that sign leaves. */
      vault: z
        .strictObject({
          address: z.url("must be a URL, as in https://vault.example:8200").default("https://127.0.0.1:8200"),
          tokenFile: z.string().default("/etc/lateen.d/vault.token"),
          mount: z
            .string()
            .regex(/^[A-Za-z0-9_/-]+$/, "must be the path of a mount")
            .default("pki"),
          namespace: z.string().optional(),
          caFile: z.string().optional(),
          ownsRoot: z.boolean().default(false),
        })
        .prefault({}),
      rotation: z
        .strictObject({
          /** When a new CA signs, hosts renew their certificates spread over this time. */
          renewWithinSeconds: z.number().int().min(1).max(86_400).default(600),
          /** A rotation does not wait for a host that was not heard of for this long. */
          awayAfterSeconds: z.number().int().min(1).max(86_400).default(180),
        })
        .prefault({}),
    })
    .prefault({}),
  leafTtlSeconds: z
    .number()
    .int()
    .min(1)
    .max(7 * 86_400)
    .default(86_400),
  /** Of a JWT-SVID, which nobody can take back. */
  jwtTtlSeconds: z.number().int().min(30).max(3600).default(300),
  /** Of an agent's own certificate. */
  agentTtlSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(7 * 86_400),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export type ServerConfig = z.output<typeof schema>;

/** Throws `config.invalid` with every violation. */
export function loadServerConfig(sources: Omit<ConfigSources, "prefix">): ServerConfig {
  return loadConfig<ServerConfig>(schema, { ...sources, prefix: "LATEEN_SERVER" });
}
