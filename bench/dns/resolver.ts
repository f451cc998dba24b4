/** A resolver that has one address for every name. */
import { createSocket } from "node:dgram";
import { parentPort } from "node:worker_threads";
import { decode, encode } from "dns-packet";

const socket = createSocket("udp4");
socket.on("message", (message, from) => {
  const { id = 0, questions = [] } = decode(message);
  const name = questions[0]?.name ?? "";
  const answers = [{ type: "A" as const, name, ttl: 60, data: "192.0.2.1" }];
  const reply = encode({ type: "response", id, flags: 0x01_80, questions, answers });
  socket.send(reply, from.port, from.address);
});
socket.bind(0, "127.0.0.1", () => parentPort?.postMessage(socket.address().port, []));
