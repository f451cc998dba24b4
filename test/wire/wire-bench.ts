import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageTypes } from "../../controlplane/message-types.ts";
import type { MeshSnapshot } from "../../controlplane/snapshot/mesh-snapshot.ts";
import { encodedResource } from "../../controlplane/translate/encode.ts";
import { createTranslator } from "../../controlplane/translate/translator.ts";
import { loopbackVip } from "../../mesh/model/vips.ts";
import { type PlacedWorkload, workloadId } from "../../mesh/model/workload.ts";
import { type ResourceMap, resourceMap } from "../../mesh/xds/encoded-resource.ts";
import { createXdsJson, DESCRIPTORS_URL, type JsonValue } from "../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { sampleState } from "../fakes/sample-mesh.ts";
import { AdsBuiltin } from "../harness/ads-builtin.ts";
import { AdsEnvoy } from "../harness/ads-envoy.ts";
import { freeBlock } from "../harness/mesh-topology.ts";
import { mintCrl } from "../harness/test-certificates.ts";
import { certificateSecret, rootsSecret } from "../harness/xds-samples.ts";
import { NameServer } from "./name-server.ts";
import { type Place, WireApps } from "./wire-apps.ts";
import type { WireCase } from "./wire-case.ts";
import { CERTIFICATES } from "./wire-certificates.ts";
import { portOf, wireWorkloads } from "./wire-mesh.ts";
import { hostOf, WireRun } from "./wire-run.ts";

export const WIRE_DATA_PLANES = ["envoy", "builtin"] as const;
export type WireDataPlane = (typeof WIRE_DATA_PLANES)[number];

type Resources = ReadonlyMap<TypeUrl, ResourceMap>;

const FIRST_PORT = 10_001;

const AGENT_SECRETS: Readonly<Record<string, JsonValue>> = {
  default: certificateSecret(CERTIFICATES.caller),
  ROOTCA: rootsSecret(CERTIFICATES.root.pem),
};

const json = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** A data plane of a workload of no host, the applications that it calls, and what there is to find and trust them. */
export class WireBench implements AsyncDisposable {
  readonly apps: WireApps;
  readonly names: NameServer;
  readonly #block: string;
  /**
   * Where `roots.pem`, `stranger.pem`, `client.pem`, `secure.pem` and `rsa.pem` are, `.key` beside the last three, and what the roots have
   * taken back: both of these in `both.crl`, nothing in `nobody.crl`. `FOLDER` in the objects of a case.
   */
  readonly #folder: string;
  readonly #proxy: AdsEnvoy | AdsBuiltin;
  readonly #stack: AsyncDisposableStack;
  #port = FIRST_PORT;

  private constructor(
    parts: Pick<WireBench, "apps" | "names"> & {
      readonly block: string;
      readonly folder: string;
      readonly proxy: AdsEnvoy | AdsBuiltin;
      readonly stack: AsyncDisposableStack;
    },
  ) {
    this.apps = parts.apps;
    this.names = parts.names;
    this.#block = parts.block;
    this.#folder = parts.folder;
    this.#proxy = parts.proxy;
    this.#stack = parts.stack;
  }

  static async start(dataPlane: WireDataPlane): Promise<WireBench> {
    await using started = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "lateen-wire-"));
    started.defer(() => rm(folder, { recursive: true, force: true }));
    const { root, client, secure, rsa, stranger } = CERTIFICATES;
    await writeFiles(folder, {
      "roots.pem": root.pem,
      "stranger.pem": stranger.pem,
      "client.pem": client.pem,
      "client.key": client.keyPem,
      "secure.pem": secure.pem,
      "secure.key": secure.keyPem,
      "rsa.pem": rsa.pem,
      "rsa.key": rsa.keyPem,
      "both.crl": mintCrl(root, [client, secure]),
      "nobody.crl": mintCrl(root),
    });
    const block = await freeBlock();
    const names = started.use(await NameServer.start(`${block}.2`));
    const apps = started.use(await WireApps.start(block, folder));
    for (const app of ["a", "b", "c", "d"]) names.names.set(`${app}.name.test`, [apps.at(app).address]);
    names.names.set("secure.test", [apps.at("tls").address]);
    names.names.set("old.name.test", [apps.at("old").address]);
    names.names.set("moving.test", [apps.at("a").address]);
    names.names.set("many.test", [apps.at("a").address, apps.at("b").address]);
    const nameServer = { address: `${block}.2`, port: names.port };
    const proxy = started.use(
      dataPlane === "envoy" ? await AdsEnvoy.start(nameServer) : await AdsBuiltin.start(names.resolve),
    );
    return new WireBench({ apps, names, block, folder, proxy, stack: started.move() });
  }

  /** Puts a case in force, makes its calls, and takes it all out again. */
  async run(one: WireCase): Promise<void> {
    await this.apps.allUp();
    try {
      const wire = await this.#begin(one);
      for (const call of one.calls ?? []) await wire.check(call);
      await one.run?.(wire);
    } finally {
      await this.#proxy.accept(new Map());
    }
  }

  /** Fails unless the data plane refuses something of a case with these words. */
  async refuses(one: WireCase, words: string): Promise<void> {
    try {
      await assert.rejects(this.#begin(one), ({ message }: Error) => {
        assert.ok(message.startsWith("NACK of ") && message.includes(words), message);
        return true;
      });
    } finally {
      await this.#proxy.accept(new Map());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #begin(one: WireCase): Promise<WireRun> {
    const at = (app: string): Place => this.apps.at(app);
    const { caller, workloads, declared, httpProxy } = wireWorkloads(one, at, () => this.#bind());
    let snapshot = await this.#publish(one.yaml(at), caller, workloads);
    return new WireRun({
      apps: this.apps,
      names: this.names.names,
      block: this.#block,
      apply: async (yaml) => {
        snapshot = await this.#publish(yaml, caller, workloads);
      },
      placeOf: (to) => {
        const [word = ""] = to.split(" ");
        if (word === "vip") return vipOf(snapshot, to);
        if (word === "gateway") return { address: `${this.#block}.1`, port: portOf(to) };
        const place = word === "proxy" ? httpProxy : declared.get(to);
        assert.ok(place, `there is a way to ${to}`);
        return place;
      },
    });
  }

  /** Never one that was used before: what listened there may not be gone yet. */
  #bind(): Place {
    return { address: `${this.#block}.1`, port: this.#port++ };
  }

  async #publish(
    yaml: string,
    caller: PlacedWorkload,
    workloads: readonly PlacedWorkload[],
  ): Promise<MeshSnapshot> {
    const objects = yaml.replaceAll("FOLDER", this.#folder);
    const { snapshot, changed } = sampleState({ yaml: objects, workloads }).next();
    const translator = createTranslator({ messageTypes });
    translator.publish(snapshot, changed);
    const types = translator.preview(workloadId(caller))?.types;
    assert.ok(types, "the caller is translated");
    // Names are for the agent: no proxy asks for them.
    const asked = new Map([...types].filter(([type]) => type !== TYPE_URL.hostName));
    await this.#proxy.accept(withAgentSecrets(asked));
    return snapshot;
  }
}

/** An agent serves the identity of a workload and the mesh's roots to those who ask. */
function withAgentSecrets(types: Resources): Resources {
  const text = [TYPE_URL.cluster, TYPE_URL.listener]
    .flatMap((type) => [...(types.get(type)?.values() ?? [])].map(({ bytes }) => [type, bytes] as const))
    .map(([type, bytes]) => JSON.stringify(json.resourceToJson(type, bytes)))
    .join();
  const own = Object.entries(AGENT_SECRETS)
    .filter(([name]) => text.includes(`"name":"${name}","sdsConfig"`))
    .map(([name, secret]) => encodedResource(name, json.jsonToResource(TYPE_URL.secret, secret)));
  const rest = [...(types.get(TYPE_URL.secret)?.values() ?? [])];
  return new Map([...types, [TYPE_URL.secret, resourceMap([...rest, ...own])]]);
}

/** The address that was given to a service by itself. */
function vipOf(snapshot: MeshSnapshot, to: string): Place {
  const [address = ""] = snapshot.services.get(hostOf(to))?.[0]?.addresses ?? [];
  const vip = loopbackVip(address);
  assert.ok(vip, `there is a way to ${to}`);
  return { address: vip, port: portOf(to) };
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
}
