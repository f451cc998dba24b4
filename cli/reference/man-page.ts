import { EXIT_CODE_HELP } from "../help.ts";
import type { CommandFacts, OptionFacts } from "./command-tree.ts";

/** A page in the language of man(7). */
export interface ManPage {
  /** `lateen-join.1`. */
  readonly file: string;
  readonly text: string;
}

export interface ManEdition {
  readonly version: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** They run until they are told to stop: their pages are for administrators. */
const DAEMONS: readonly string[] = ["server", "agent", "proxy"];

const FILES = [
  [
    "/etc/lateen.d/server.yaml, /etc/lateen.d/agent.yaml",
    "what the server and the agent of this host are told",
  ],
  ["/etc/lateen.d/services.d/", "the services of this host, a file each"],
  ["/var/lib/lateen/", "keys, and the last good state: whoever has it is this host"],
  ["/run/lateen/server/, /run/lateen/agent/", "sockets"],
] as const;

const ENVIRONMENT = [
  ["LATEEN_ADDR", "where the server's admin API is; its socket on this host if it is not set"],
  ["LATEEN_TOKEN_FILE, LATEEN_TOKEN", "an access token for it"],
  ["NO_COLOR", "no colours"],
] as const;

/** One page for the program and one for each command. */
export function manPages(commands: readonly CommandFacts[], edition: ManEdition): readonly ManPage[] {
  return [overview(commands, edition), ...commands.map((command) => commandPage(command, edition))];
}

function overview(commands: readonly CommandFacts[], edition: ManEdition): ManPage {
  return {
    file: "lateen.1",
    text: page([
      title("lateen", 1, edition),
      section("NAME", "lateen \\- a service mesh for hosts outside Kubernetes"),
      section("SYNOPSIS", ".B lateen\n.I command\n[\\fIoptions\\fR]"),
      section(
        "DESCRIPTION",
        `${plain("Mutual TLS with real identities, Istio's routing and policies, and a view of all calls, for services on virtual machines, bare metal, Nomad and Consul. Two hosts with mutual TLS:")}
.PP
.nf
vm1# lateen init
vm2# lateen join lateen1.eyJh...
vm2# lateen service add api \\-\\-port 9090
vm1# lateen service add web \\-\\-port 8080 \\-\\-upstream api
.fi`,
      ),
      section(
        "COMMANDS",
        commands
          .map(({ name, summary }) =>
            item(`.BR ${pageOf(name).replaceAll("-", "\\-")} (${sectionOf(name)})`, summary),
          )
          .join("\n"),
      ),
      section("EXIT STATUS", exitStatus()),
      section("ENVIRONMENT", ENVIRONMENT.map(([name, text]) => item(`.B ${plain(name)}`, text)).join("\n")),
      section("FILES", FILES.map(([path, text]) => item(`.I ${plain(path)}`, text)).join("\n")),
      section("SEE ALSO", plain("/usr/share/doc/lateen/")),
    ]),
  };
}

function commandPage(command: CommandFacts, edition: ManEdition): ManPage {
  const number = sectionOf(command.name);
  const parts = [
    title(pageOf(command.name), number, edition),
    section("NAME", `${pageOf(command.name).replaceAll("-", "\\-")} \\- ${plain(command.summary)}`),
    section("SYNOPSIS", synopses(["lateen"], command).join("\n.br\n")),
    section("DESCRIPTION", `${plain(sentence(command.description))}${aliases(command)}`),
    ...(command.arguments.length === 0 ? [] : [section("ARGUMENTS", argumentsOf(command))]),
    section("OPTIONS", optionsOf(command.options)),
    ...subcommands(command),
    section("EXIT STATUS", exitStatus()),
    section("SEE ALSO", ".BR lateen (1)"),
  ];
  return { file: `${pageOf(command.name)}.${number}`, text: page(parts) };
}

function synopses(above: readonly string[], command: CommandFacts): readonly string[] {
  const words = [...above, command.name];
  if (command.commands.length > 0) return command.commands.flatMap((sub) => synopses(words, sub));
  const spelled = command.arguments.map((argument) => ` \\fI${plain(argument.spelled)}\\fR`).join("");
  return [`\\fB${words.map(plain).join(" ")}\\fR [\\fIoptions\\fR]${spelled}`];
}

function subcommands(command: CommandFacts): readonly string[] {
  if (command.commands.length === 0) return [];
  const texts = leaves([], command).map(({ words, leaf }) =>
    [
      `.SS ${words.map(plain).join(" ")}`,
      plain(sentence(leaf.description)),
      argumentsOf(leaf),
      optionsOf(
        leaf.options.filter((option) => !command.options.some(({ flags }) => flags === option.flags)),
      ),
    ]
      .filter((text) => text !== "")
      .join("\n"),
  );
  return [section("COMMANDS", texts.join("\n"))];
}

function leaves(
  above: readonly string[],
  command: CommandFacts,
): readonly { readonly words: readonly string[]; readonly leaf: CommandFacts }[] {
  return command.commands.flatMap((leaf) => {
    const words = [...above, leaf.name];
    return leaf.commands.length === 0 ? [{ words, leaf }] : leaves(words, leaf);
  });
}

function argumentsOf({ arguments: list }: CommandFacts): string {
  return list.map(({ spelled, description }) => item(`.I ${plain(spelled)}`, description)).join("\n");
}

function optionsOf(options: readonly OptionFacts[]): string {
  return options.map((option) => item(`.B ${plain(option.flags)}`, optionText(option))).join("\n");
}

function optionText({ description, choices, fallback }: OptionFacts): string {
  const more = [
    ...(choices.length === 0 ? [] : [`one of ${choices.join(", ")}`]),
    ...(fallback === undefined || fallback === "" ? [] : [`default: ${fallback}`]),
  ];
  return more.length === 0 ? description : `${description} (${more.join("; ")})`;
}

function aliases({ aliases: others }: CommandFacts): string {
  return others.length === 0 ? "" : `\n.PP\n${plain(`It may be called ${others.join(", ")}, too.`)}`;
}

function exitStatus(): string {
  return [...EXIT_CODE_HELP.matchAll(/^(\d+)\s+(.+)$/gm)]
    .map(([, code = "", text = ""]) => item(`.B ${code}`, text))
    .join("\n");
}

function pageOf(command: string): string {
  return `lateen-${command}`;
}

function sectionOf(command: string): 1 | 8 {
  return DAEMONS.includes(command) ? 8 : 1;
}

function title(name: string, number: number, { version, date }: ManEdition): string {
  return `.TH ${name.toUpperCase().replaceAll("-", "\\-")} ${number} ${date} "lateen ${version}" "Lateen"`;
}

function section(name: string, text: string): string {
  return `.SH ${name.includes(" ") ? `"${name}"` : name}\n${text}`;
}

function item(label: string, text: string): string {
  return `.TP\n${label}\n${plain(text)}`;
}

function page(parts: readonly string[]): string {
  return `.\\" Made from the program's own commands.\n${parts.join("\n")}\n`;
}

function sentence(text: string): string {
  const first = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.:?]$/.test(first) ? first : `${first}.`;
}

/** Text that means nothing to roff: minus signs stay what one can type, and no line begins a request. */
function plain(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^(?=[.'])/gm, "\\&");
}
