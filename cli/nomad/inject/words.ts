import { errorAt, type FieldPath, type Finding, warningAt } from "../../../mesh/model/finding.ts";
import { parseServiceHints, type ServiceHints } from "../../../mesh/model/vocabulary.ts";

/** What tags and metadata say in Lateen's vocabulary: key (`version`, `label.team`) to text. `inject` is not among them. */
export type Words = ReadonlyMap<string, string>;

const TAG = "lateen.";
const META = "lateen-";

/** Metadata wins over tags, as in Consul's catalog. */
export function wordsOf(tags: readonly string[], meta: Readonly<Record<string, string>>): Words {
  const words = new Map<string, string>();
  for (const tag of tags) {
    const at = tag.indexOf("=");
    if (tag.startsWith(TAG) && at > 0) words.set(tag.slice(TAG.length, at), tag.slice(at + 1).trim());
  }
  for (const [name, text] of Object.entries(meta)) {
    if (!name.startsWith(META)) continue;
    const key = name.slice(META.length);
    words.set(key.startsWith("label-") ? `label.${key.slice(6)}` : key, text.trim());
  }
  words.delete("inject");
  return words;
}

/**
 * The words, read; what is wrong with them is added to `problems` at `path`. Values with `${…}`, which only a client
 * fills in, are not looked at.
 */
export function readWords(name: string, words: Words, path: FieldPath, problems: Finding[]): ServiceHints {
  const tags = [...words]
    .filter(([, text]) => !text.includes("${"))
    .map(([key, text]) => `${TAG}${key}=${text}`);
  const { hints, problems: wrong } = parseServiceHints(name, tags, {});
  for (const { path: tag, message, severity } of wrong) {
    const say = severity === "error" ? errorAt : warningAt;
    problems.push(say(path, `${tag.replace(/^tag /, "")} ${message}`));
  }
  return hints;
}

/** As an argument has them, each without a blank inside. */
export function wordArguments(words: Words): readonly string[] {
  return [...words].map(([key, text]) => `${TAG}${key}=${text.replaceAll(/\s+/g, "")}`);
}
