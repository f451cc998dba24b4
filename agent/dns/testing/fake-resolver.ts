import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { type Answer, decode, encode, type Packet } from "dns-packet";
import { MessageReader, withLength } from "../stream-messages.ts";

/** What a resolver says to a question; undefined: nothing. */
type Say = (question: Packet, over: "udp" | "tcp") => Packet | undefined;

/** A resolver for tests, at a port of 127.0.0.1, by UDP and TCP. */
export class FakeResolver implements AsyncDisposable {
  readonly #udp: DatagramSocket;
  readonly #tcp: Server;
  /** Names that it was asked for, and the ports that they came from. */
  readonly asked: { readonly name: string; readonly port: number; readonly id: number }[] = [];
  say: Say;

  private constructor(udp: DatagramSocket, tcp: Server, say: Say) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.say = say;
  }

  static async start(say: Say = saying("192.0.2.1")): Promise<FakeResolver> {
    const { udp, tcp } = await bothAtOnePort();
    const resolver = new FakeResolver(udp, tcp, say);
    udp.on("message", (message, from) => {
      const reply = resolver.#reply(message, from.port, "udp");
      if (reply !== undefined) udp.send(reply, from.port, from.address);
    });
    tcp.on("connection", (socket) => {
      const reader = new MessageReader((message) => {
        const reply = resolver.#reply(message, socket.remotePort ?? 0, "tcp");
        if (reply !== undefined) socket.write(withLength(reply));
      });
      socket.on("data", (bytes: Buffer) => reader.push(bytes));
      socket.on("error", () => undefined);
    });
    return resolver;
  }

  get port(): number {
    return this.#udp.address().port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How often it was asked for a name. */
  count(name: string): number {
    return this.asked.filter((one) => one.name === name).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [once(this.#udp, "close"), once(this.#tcp, "close")];
    this.#udp.close();
    this.#tcp.close();
    await Promise.all(closed);
  }

  #reply(message: Buffer, port: number, over: "udp" | "tcp"): Buffer | undefined {
    const question = decode(message);
    const name = question.questions?.[0]?.name ?? "";
    this.asked.push({ name, port, id: question.id ?? 0 });
    const said = this.say(question, over);
    return said && encode(said);
  }
}

/** A port that is free for UDP may be taken for TCP: then it is another. */
async function bothAtOnePort(): Promise<{ readonly udp: DatagramSocket; readonly tcp: Server }> {
  for (;;) {
    const udp = createSocket("udp4");
    udp.bind(0, "127.0.0.1");
    await once(udp, "listening");
    const tcp = createServer();
    tcp.listen(udp.address().port, "127.0.0.1");
    try {
      await once(tcp, "listening");
      return { udp, tcp };
    } catch {
      udp.close();
    }
  }
}

/** One that has this address for every name. */
export function saying(address: string): Say {
  return (question) => answerTo(question, (name) => [{ type: "A", name, ttl: 60, data: address }]);
}

/** One that fails with an RCODE. */
export function failing(rcode: number): Say {
  return (question) => ({ ...answerTo(question, () => []), flags: 0x80 | rcode });
}

export function answerTo(question: Packet, answers: (name: string) => Answer[]): Packet {
  const { id = 0, questions = [] } = question;
  return { type: "response", id, flags: 0x01_80, questions, answers: answers(questions[0]?.name ?? "") };
}
