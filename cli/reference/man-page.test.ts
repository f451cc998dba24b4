import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMANDS } from "../commands.ts";
import type { CommandFacts } from "./command-tree.ts";
import { commandTree } from "./command-tree.ts";
import { manPages } from "./man-page.ts";

const edition = { version: "1.2.3", date: "2026-01-02" };
const option = { takesValue: true, choices: [], fallback: undefined };
const JOIN: CommandFacts = {
  name: "join",
  aliases: ["enter"],
  summary: "make this host part of a mesh",
  description: "make this host part of a mesh, and start its agent",
  arguments: [{ spelled: "[token]", description: "the token, - for standard input", choices: [] }],
  options: [
    {
      ...option,
      flags: "--discovery <kind>",
      names: ["--discovery"],
      description: ".d files or a \\catalog",
      choices: ["consul", "file"],
      fallback: "file",
    },
  ],
  commands: [],
};

test("a command's page, and nothing in it that roff takes for its own", () => {
  const page = manPages([JOIN], edition).find(({ file }) => file === "lateen-join.1");
  assert.ok(page);
  const [head] = page.text.split('.SH "EXIT STATUS"');
  assert.equal(
    head,
    `.\\" Made from the program's own commands.
.TH LATEEN\\-JOIN 1 2026-01-02 "lateen 1.2.3" "Lateen"
.SH NAME
lateen\\-join \\- make this host part of a mesh
.SH SYNOPSIS
\\fBlateen join\\fR [\\fIoptions\\fR] \\fI[token]\\fR
.SH DESCRIPTION
Make this host part of a mesh, and start its agent.
.PP
It may be called enter, too.
.SH ARGUMENTS
.TP
.I [token]
the token, \\- for standard input
.SH OPTIONS
.TP
.B \\-\\-discovery <kind>
\\&.d files or a \\ecatalog (one of consul, file; default: file)
`,
  );
});

test("every command has a page, and the program's own names them all", async () => {
  const pages = manPages(await commandTree(), edition);
  const [overview] = pages;
  assert.equal(overview?.file, "lateen.1");
  for (const { name } of COMMANDS) {
    const page = pages.find(({ file }) => file.startsWith(`lateen-${name}.`));
    assert.ok(page, name);
    const { groups } = /\.(?<section>\d)$/.exec(page.file) ?? {};
    const listed = `.BR lateen\\-${name.replaceAll("-", "\\-")} (${groups?.["section"]})`;
    assert.ok(overview?.text.includes(listed), listed);
  }
});
