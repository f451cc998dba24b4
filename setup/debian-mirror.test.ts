import assert from "node:assert/strict";
import { test } from "node:test";
import { debianMirrors } from "./debian-mirror.ts";

const stanzas = `Types: deb deb-src
# a comment
URIs: http://mirror.test/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://one.test/debian
  http://two.test/debian
Suites: trixie
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
`;

test("stanzas give their mirrors, without security archives and what is switched off", () => {
  assert.deepEqual(debianMirrors([{ name: "debian.sources", text: stanzas }]), [
    { uri: "http://mirror.test/debian", signedBy: "/usr/share/keyrings/debian.gpg" },
    { uri: "http://one.test/debian", signedBy: undefined },
    { uri: "http://two.test/debian", signedBy: undefined },
  ]);
});

const lines = `# deb http://off.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # comment
deb-src http://src.test/debian bookworm main
deb http://plain.test/debian/ bookworm main
deb http://mirror.test/debian bookworm-updates main
deb http://sec.test/debian-security bookworm-security main
deb http://other.test/tool stable tool
`;

test("one-line entries give their mirrors, each once", () => {
  assert.deepEqual(debianMirrors([{ name: "sources.list", text: lines }]), [
    { uri: "http://mirror.test/debian", signedBy: "/k.gpg" },
    { uri: "http://plain.test/debian", signedBy: undefined },
  ]);
});

test("a machine without apt has none", () => {
  assert.deepEqual(debianMirrors([{ name: "sources.list", text: "" }]), []);
});
