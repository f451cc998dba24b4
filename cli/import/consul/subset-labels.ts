/** The labels of the instances that a filter means, and what their instances must say so that they have these. */
export interface SubsetLabels {
  readonly labels: Readonly<Record<string, string>>;
  /** Empty when the instances need nothing but what they have. */
  readonly todo: readonly string[];
}

type Selected = { readonly label: string; readonly value: string; readonly todo?: string };

/** The label of instances that no word of theirs tells apart. */
const OWN_LABEL = "consul-subset";

/**
 * A filter of a subset (Consul's go-bexpr) as labels: `Service.Meta.version == v1`, `"v1" in Service.Tags`, and those
 * joined by `and`. What labels cannot say gets a label of its own, which the instances must be given: until then the
 * subset is empty, never wider than it was.
 */
export function subsetLabels(subset: string, filter: string | undefined): SubsetLabels {
  if (filter === undefined || filter.trim() === "") return { labels: {}, todo: [] };
  const selected = filter
    .trim()
    .split(/\s+and\s+/i)
    .map(selectedBy);
  if (selected.every((each) => each !== undefined)) {
    const labels = Object.fromEntries(selected.map(({ label, value }) => [label, value]));
    const contradictory = selected.some(({ label, value }) => labels[label] !== value);
    if (!contradictory) return { labels, todo: selected.flatMap(({ todo }) => todo ?? []) };
  }
  const todo = `give the instances that ${filter} means the meta lateen-label-${OWN_LABEL}=${subset}`;
  return { labels: { [OWN_LABEL]: subset }, todo: [todo] };
}

function selectedBy(condition: string): Selected | undefined {
  return selectedByMeta(condition) ?? selectedByTag(condition);
}

function selectedByMeta(condition: string): Selected | undefined {
  const [, dotted, indexed, quoted, bare] =
    /^Service\.Meta(?:\.([\w-]+)|\["([\w-]+)"\]) ?== ?(?:"([\w.-]+)"|([\w.-]+))$/.exec(condition.trim()) ??
    [];
  const key = dotted ?? indexed;
  const value = quoted ?? bare;
  if (key === undefined || value === undefined) return undefined;
  if (key === "version" || key === "lateen-version") return { label: "version", value };
  if (key.startsWith("lateen-label-")) return { label: key.slice("lateen-label-".length), value };
  return {
    label: key,
    value,
    todo: `give instances with meta ${key}=${value} the meta lateen-label-${key}=${value}`,
  };
}

function selectedByTag(condition: string): Selected | undefined {
  const [, before, after] =
    /^(?:"([\w.=-]+)" in Service\.Tags|Service\.Tags contains "([\w.=-]+)")$/.exec(condition.trim()) ?? [];
  const tag = before ?? after;
  if (tag === undefined) return undefined;
  const [, kind, key = "", own = ""] = /^lateen\.(version|label\.([\w-]+))=([\w.-]+)$/.exec(tag) ?? [];
  if (kind !== undefined) return { label: kind === "version" ? "version" : key, value: own };
  if (!/^[\w.-]+$/.test(tag)) return undefined;
  return {
    label: "version",
    value: tag,
    todo: `give instances with tag ${tag} the tag lateen.version=${tag}`,
  };
}
