import { execFile } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { DESCRIPTION, type Order } from "./edition.ts";

/** Debian's places that are others on Fedora. */
const ZSH = ["usr/share/zsh/vendor-completions", "usr/share/zsh/site-functions"] as const;

/** What Node has compiled: one version's own. */
const CACHE = "/usr/lib/lateen/node_modules/.cache";

/** A package for rpm. Returns its path. */
export async function buildRpm({ root, work, out, architecture, edition, level }: Order): Promise<string> {
  await rename(join(root, ZSH[0]), join(root, ZSH[1]));
  const top = join(work, `rpmbuild-${architecture.node}`);
  await mkdir(top, { recursive: true });
  const spec = join(top, "lateen.spec");
  await writeFile(spec, specOf(resolve(root), edition));
  const define = (name: string, value: string): readonly string[] => ["--define", `${name} ${value}`];
  const flags = [
    ...define("_topdir", resolve(top)),
    ...define("_buildhost", "lateen"),
    ...define("use_source_date_epoch_as_buildtime", "1"),
    ...define("clamp_mtime_to_source_date_epoch", "1"),
    ...define("_binary_payload", `w${level}.xzdio`),
    ...define("__os_install_post", "%{nil}"),
    ...define("_build_id_links", "none"),
    ...define("debug_package", "%{nil}"),
    // Debian's rpm knows of no systemd; these are where everybody has them.
    ...define("_unitdir", "/usr/lib/systemd/system"),
    "--target",
    `${architecture.rpm}-linux`,
    "-bb",
    spec,
  ];
  await promisify(execFile)("rpmbuild", flags, {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(edition.epoch) },
    maxBuffer: 1 << 26,
  });
  const name = `lateen-${edition.version}-1.${architecture.rpm}.rpm`;
  const path = join(out, name);
  await promisify(execFile)("cp", [join(top, "RPMS", architecture.rpm, name), path]);
  return path;
}

function specOf(root: string, { version, summary, epoch }: Order["edition"]): string {
  const date = new Date(epoch * 1000).toUTCString().split(" ");
  const [day = "", number = "", month = "", year = ""] = date;
  return `Name: lateen
Version: ${version}
Release: 1
Summary: ${summary}
License: Apache-2.0
# What Node's binary is linked with is all there is to find.
AutoReqProv: no
Requires: glibc >= 2.28, libgcc, libstdc++, shadow-utils, systemd

%description
${DESCRIPTION}

%install
cp -a ${root}/. %{buildroot}/

%files
/usr/bin/lateen
/usr/lib/lateen
%{_unitdir}/lateen-server.service
%{_unitdir}/lateen-agent.service
%{_unitdir}/lateen-capture.service
/usr/lib/sysusers.d/lateen.conf
/usr/lib/tmpfiles.d/lateen.conf
/usr/share/bash-completion/completions/lateen
/usr/share/zsh/site-functions/_lateen
/usr/share/fish/vendor_completions.d/lateen.fish
/usr/share/man/man1/lateen*
/usr/share/man/man8/lateen*
%doc /usr/share/doc/lateen
%license /usr/share/licenses/lateen

%post
systemd-sysusers lateen.conf || useradd --system --user-group --no-create-home --home-dir /var/lib/lateen --shell /sbin/nologin lateen 2>/dev/null || :
install -d -m 0750 -o root -g lateen /etc/lateen.d /etc/lateen.d/services.d
# The programs run as users who write nothing there: what Node compiles is written down for them now.
rm -rf ${CACHE}
for command in server agent proxy; do /usr/bin/lateen "$command" --help >/dev/null || :; done
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || :
  # Nothing is started that was not; what runs is started anew, and keeps its connections.
  if [ "$1" -gt 1 ]; then systemctl try-restart lateen-server.service lateen-agent.service || :; fi
fi

%preun
if [ "$1" -eq 0 ]; then
  # What of this host asks the agent, or goes to its proxies, would go nowhere.
  if [ -e /var/lib/lateen-capture/confirmed.json ]; then lateen capture remove --drain 0s || :; fi
  if [ -e /etc/lateen.d/agent.yaml ]; then
    lateen host dns --undo || :
    lateen host vips --undo || :
  fi
  rm -rf ${CACHE}
fi
# An upgrade stops nothing: the data planes serve on.
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
  systemctl disable --now lateen-capture.service lateen-agent.service lateen-server.service || :
fi

%postun
if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi

%changelog
* ${day.replace(",", "")} ${month} ${number} ${year} The Lateen authors - ${version}-1
- Version ${version}
`;
}
