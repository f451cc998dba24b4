/** What `--service "reviews=http lateen.version=v2 task=web"` says. */
export interface ServiceSpec {
  readonly name: string;
  /** The label of a port of the group, or a number; empty for one that only calls others. */
  readonly port: string;
  /** Of the vocabulary, as they are in a service block. */
  readonly tags: readonly string[];
  /** The task whose service block it is; undefined: it is the group's. */
  readonly task: string | undefined;
}

/** Reads one `--service`; a text says what is wrong with it. */
export function parseServiceSpec(text: string): ServiceSpec | string {
  const [first = "", ...words] = wordsOf(text);
  const [, name = "", port = ""] = /^([A-Za-z0-9_.-]+)=([A-Za-z0-9_-]+)$/.exec(first) ?? [];
  if (name === "") return `“${text}” must be NAME=PORT and words, as in reviews=http lateen.version=v2`;
  return withWords({ name, port }, text, words);
}

/** Reads one `--client`: a name and words. */
export function parseClientSpec(text: string): ServiceSpec | string {
  const [name = "", ...words] = wordsOf(text);
  if (!/^[A-Za-z0-9_.-]+$/.test(name))
    return `“${text}” must be NAME and words, as in report lateen.upstreams=api:80`;
  return withWords({ name, port: "" }, text, words);
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function withWords(
  named: Pick<ServiceSpec, "name" | "port">,
  text: string,
  words: readonly string[],
): ServiceSpec | string {
  const strange = words.find((word) => !/^(lateen\.[^=]+|task)=/.test(word));
  if (strange !== undefined) return `“${text}”: ${strange} is neither a tag (lateen.…=…) nor task=NAME`;
  const task = words.find((word) => word.startsWith("task="))?.slice("task=".length);
  return { ...named, task, tags: words.filter((word) => word.startsWith("lateen.")) };
}
