import { type IncomingMessage, type RequestOptions, request } from "node:http";
import type { LogFields, Logger } from "../../../../mesh/telemetry/logger.ts";
import { type AdmissionServer, startAdmission } from "../admission-server.ts";
import { type AdmissionConfig, loadAdmissionConfig } from "../config.ts";
import { listenerTls } from "../listener-tls.ts";
import { nomadTarget } from "../nomad-target.ts";
import { FakeNomad } from "./fake-nomad.ts";

export interface Answer {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** An admission on loopback with a fake Nomad behind it. */
export interface AdmissionBench extends AsyncDisposable {
  readonly nomad: FakeNomad;
  readonly server: AdmissionServer;
  readonly port: number;
  /** What was logged, a line each. */
  readonly log: readonly string[];
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** The head of the answer, and its body as a stream. */
  open(path: string, ask?: Ask): Promise<IncomingMessage>;
}

export async function startBench(settings: Readonly<Record<string, unknown>> = {}): Promise<AdmissionBench> {
  const nomad = await FakeNomad.start();
  const log: string[] = [];
  const config = configOf({
    listen: { address: "127.0.0.1:0" },
    nomad: { address: `http://127.0.0.1:${nomad.port}` },
    ...settings,
  });
  const server = await startAdmission(config.listen.address, settingsOf(config), loggerInto(log));
  const port = Number(server.address.split(":").at(-1));
  const open = (path: string, ask: Ask = {}) => openAt({ host: "127.0.0.1", port }, path, ask);
  return {
    nomad,
    server,
    port,
    log,
    open,
    ask: async (path, ask) => await readAnswer(await open(path, ask)),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await nomad[Symbol.asyncDispose]();
    },
  };
}

export function configOf(
  file: Readonly<Record<string, unknown>>,
  text = JSON.stringify(file),
): AdmissionConfig {
  return loadAdmissionConfig({
    file: { name: "nomad.yaml", text },
    environment: {},
    flags: {},
  });
}

export function settingsOf(config: AdmissionConfig): Parameters<typeof startAdmission>[1] {
  const { rules, sidecar, limits, nomad, listen } = config;
  const settings = {
    rules: { rules, sidecar },
    limits,
    target: nomadTarget(nomad),
    tls: listenerTls(listen),
  };
  return () => settings;
}

export function openAt(
  place: RequestOptions,
  path: string,
  { method = "GET", headers = {}, body }: Ask,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, path, method, headers, agent: false });
    sent.once("response", resolve).once("error", reject);
    sent.end(body);
  });
}

export async function readAnswer(answer: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return {
    status: answer.statusCode ?? 0,
    rawHeaders: answer.rawHeaders,
    text: Buffer.concat(chunks).toString("utf8"),
  };
}

export function loggerInto(lines: string[]): Logger {
  const write = (message: string, fields: LogFields = {}): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  return logger;
}
