import type { HeaderList } from "../../tables/header-list.ts";
import { parseLength } from "./characters.ts";
import { ReceivedFields } from "./received-fields.ts";

/** The field section of a response (RFC 9113 §8.3.2). */
export class ResponseFields extends ReceivedFields {
  #status: number | undefined;

  override begin(): void {
    super.begin();
    this.#status = undefined;
  }

  protected override pseudo(name: string, value: string): void {
    if (name !== ":status" || this.#status !== undefined || value.length !== 3) {
      this.problem = "pseudo-header of a response";
    }
    this.#status = parseLength(value);
  }

  /** The status, from 100 to 599, or what is wrong. */
  status(): number | string {
    if (this.problem !== undefined) return this.problem;
    if (this.tooLarge) return "head too large";
    if (this.#status === undefined || this.#status < 100 || this.#status > 599) return ":status";
    return this.#status;
  }

  /** Of the body, where it was said. */
  get announced(): number | undefined {
    return this.contentLength;
  }

  list(): HeaderList {
    return this.finish();
  }
}
