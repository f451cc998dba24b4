import { readFileSync } from "node:fs";
import { DESCRIPTORS_URL, MessageTypes } from "../mesh/xds/message-types.ts";

/** The message types of this program: one set for all that print, read or patch resources, loaded at the first use. */
export const messageTypes: MessageTypes = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));
