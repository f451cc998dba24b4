import * as z from "zod";

/** `*` stands for any part. */
const pattern = z.string().min(1).max(253);

const rule = z.strictObject({
  /** Nomad's namespaces that it is about; `team-*`. */
  namespaces: z.array(pattern).min(1),
  /**
   * Which groups get a sidecar. `off`: none. `asked`: those that say `lateen.inject=true`. `all`: those with a service
   * that do not say false. `required`: as `all`, and a job with a group that says false, or cannot have one, is refused.
   */
  injection: z.enum(["off", "asked", "all", "required"]).default("asked"),
  /** What tasks may not have. */
  forbid: z
    .strictObject({
      drivers: z.array(z.string()).default([]),
      /** More rights than the driver gives by itself: privileged, capabilities, devices, namespaces and directories of the host. */
      privileged: z.boolean().default(false),
      /** The network of the host. */
      hostNetwork: z.boolean().default(false),
    })
    .prefault({}),
  /**
   * Who a job may be in the mesh: what its tags and metadata may say. `{job}`, `{namespace}` and `{group}` are filled
   * in, `*` stands for any part.
   */
  identities: z
    .strictObject({
      /** `lateen.namespace`. */
      namespaces: z.array(pattern).default(["{namespace}"]),
      /** `lateen.sa`. */
      serviceAccounts: z.array(pattern).default(["{job}"]),
      /** Names of services. */
      services: z.array(pattern).default(["*"]),
    })
    .prefault({}),
});

export type Rule = z.output<typeof rule>;

/** The first rule that is about a namespace counts. */
export const rulesSchema = z.array(rule).max(1_000).default([]);

/** For namespaces that no rule is about: whoever asks gets a sidecar, and nobody is somebody else. */
const DEFAULT_RULE: Rule = rule.parse({ namespaces: ["*"] });

export function ruleFor(namespace: string, rules: readonly Rule[]): Rule {
  return rules.find(({ namespaces }) => matchesAny(namespaces, namespace, {})) ?? DEFAULT_RULE;
}

/** Whether a name is one that the patterns allow, with `{key}` standing for the fact of that name. */
export function matchesAny(
  patterns: readonly string[],
  name: string,
  facts: Readonly<Record<string, string>>,
): boolean {
  return patterns.some((text) => toExpression(text, facts).test(name));
}

function toExpression(text: string, facts: Readonly<Record<string, string>>): RegExp {
  const parts = text.split(/(\*|\{[a-z]+\})/).map((part) => {
    if (part === "*") return ".*";
    const fact = /^\{([a-z]+)\}$/.exec(part)?.[1];
    return literal(fact === undefined ? part : (facts[fact] ?? part));
  });
  return new RegExp(`^${parts.join("")}$`, "s");
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
