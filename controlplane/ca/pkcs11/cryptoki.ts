import { createRequire } from "node:module";
import { MeshError, messageOf } from "../../../mesh/errors.ts";

/** A number of the library's: 64 bits here, but what we use fits into a double. */
type Handle = number;

interface Attribute {
  readonly type: number;
  readonly value: Buffer | null;
  readonly length: number;
}

type Call = { async(...args: readonly unknown[]): void };

interface Koffi {
  struct(name: string, fields: Readonly<Record<string, string>>): unknown;
  load(path: string): { func(declaration: string): Call };
}

/** Of PKCS#11 v2.40, what a key that signs needs. */
const DECLARATIONS = {
  initialize: "unsigned long C_Initialize(void *)",
  getSlotList: "unsigned long C_GetSlotList(uint8_t, void *, void *)",
  getTokenInfo: "unsigned long C_GetTokenInfo(unsigned long, void *)",
  openSession: "unsigned long C_OpenSession(unsigned long, unsigned long, void *, void *, void *)",
  closeSession: "unsigned long C_CloseSession(unsigned long)",
  login: "unsigned long C_Login(unsigned long, unsigned long, void *, unsigned long)",
  findObjectsInit: "unsigned long C_FindObjectsInit(unsigned long, LateenCkAttribute *, unsigned long)",
  findObjects: "unsigned long C_FindObjects(unsigned long, void *, unsigned long, void *)",
  findObjectsFinal: "unsigned long C_FindObjectsFinal(unsigned long)",
  getAttributeValue:
    "unsigned long C_GetAttributeValue(unsigned long, unsigned long, _Inout_ LateenCkAttribute *, unsigned long)",
  signInit: "unsigned long C_SignInit(unsigned long, LateenCkMechanism *, unsigned long)",
  sign: "unsigned long C_Sign(unsigned long, void *, unsigned long, void *, void *)",
} as const;

type Name = keyof typeof DECLARATIONS;

const OK = 0;
const ALREADY_INITIALIZED = 0x191;
const ALREADY_LOGGED_IN = 0x100;
const SERIAL_SESSION = 4;
const USER = 1;
/** CK_TOKEN_INFO; its label is the first 32 bytes, padded with blanks. */
const TOKEN_INFO_BYTES = 512;
const LABEL_BYTES = 32;
const MOST_SLOTS = 64;
const ULONG_BYTES = 8;
const LARGEST_VALUE = 4096;

/** Values of CKA_*, CKO_* and CKM_*. */
export const CK = {
  class: 0x0,
  label: 0x3,
  keyType: 0x100,
  modulus: 0x120,
  publicExponent: 0x122,
  ecParams: 0x180,
  ecPoint: 0x181,
  publicKey: 2,
  privateKey: 3,
  rsaKey: 0,
  ecKey: 3,
  ecdsa: 0x1041,
  sha256RsaPkcs: 0x40,
} as const;

/** One session of a token, logged in. Calls go to the library's own thread: a device on the network may take its time. */
export class CryptokiSession implements AsyncDisposable {
  readonly #library: Library;
  readonly #session: Handle;

  private constructor(library: Library, session: Handle) {
    this.#library = library;
    this.#session = session;
  }

  /** Throws `ca.unavailable` when the library, the token or the PIN is not the right one. */
  static async open(module: string, tokenLabel: string, pin: string): Promise<CryptokiSession> {
    const library = loadLibrary(module);
    await library.call("initialize", [null], [ALREADY_INITIALIZED]);
    const slot = await findSlot(library, tokenLabel);
    const session = Buffer.alloc(ULONG_BYTES);
    await library.call("openSession", [slot, SERIAL_SESSION, null, null, session]);
    const opened = new CryptokiSession(library, readUlong(session));
    const secret = Buffer.from(pin, "utf8");
    try {
      await library.call("login", [opened.#session, USER, secret, secret.length], [ALREADY_LOGGED_IN]);
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The one object of a class with a label; undefined when there is none or are several. */
  async find(objectClass: number, label: string): Promise<Handle | undefined> {
    const name = Buffer.from(label, "utf8");
    const wanted: Attribute[] = [
      { type: CK.class, value: ulong(objectClass), length: ULONG_BYTES },
      { type: CK.label, value: name, length: name.length },
    ];
    const found = Buffer.alloc(2 * ULONG_BYTES);
    const count = Buffer.alloc(ULONG_BYTES);
    await this.#library.call("findObjectsInit", [this.#session, wanted, wanted.length]);
    await this.#library.call("findObjects", [this.#session, found, 2, count]);
    await this.#library.call("findObjectsFinal", [this.#session]);
    return readUlong(count) === 1 ? readUlong(found) : undefined;
  }

  async attribute(object: Handle, type: number): Promise<Buffer> {
    const value = Buffer.alloc(LARGEST_VALUE);
    const template = [{ type, value, length: value.length }];
    await this.#library.call("getAttributeValue", [this.#session, object, template, 1]);
    return value.subarray(0, template[0]?.length ?? 0);
  }

  async sign(key: Handle, mechanism: number, data: Buffer): Promise<Buffer> {
    const signature = Buffer.alloc(LARGEST_VALUE);
    const length = ulong(signature.length);
    const how = { mechanism, parameter: null, length: 0 };
    await this.#library.call("signInit", [this.#session, how, key]);
    await this.#library.call("sign", [this.#session, data, data.length, signature, length]);
    return signature.subarray(0, readUlong(length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#library.call("closeSession", [this.#session]);
  }
}

async function findSlot(library: Library, tokenLabel: string): Promise<Handle> {
  const slots = Buffer.alloc(MOST_SLOTS * ULONG_BYTES);
  const count = ulong(MOST_SLOTS);
  await library.call("getSlotList", [1, slots, count]);
  for (let index = 0; index < readUlong(count); index++) {
    const slot = readUlong(slots.subarray(index * ULONG_BYTES));
    const info = Buffer.alloc(TOKEN_INFO_BYTES);
    await library.call("getTokenInfo", [slot, info]);
    if (info.subarray(0, LABEL_BYTES).toString("utf8").trimEnd() === tokenLabel) return slot;
  }
  throw new MeshError("ca.unavailable", `find the PKCS#11 token ${tokenLabel}`, {
    hint: "is it plugged in, and is ca.pkcs11.tokenLabel its label?",
  });
}

interface Library {
  /** Throws `ca.unavailable` for a return value that is neither OK nor among those that are accepted. */
  call(name: Name, args: readonly unknown[], accepted?: readonly number[]): Promise<void>;
}

/** A module is initialised once in a process, and koffi knows a type's name once. */
const libraries = new Map<string, Library>();
let typesDeclared = false;

function loadLibrary(path: string): Library {
  const known = libraries.get(path);
  if (known !== undefined) return known;
  const calls = bind(path);
  const library: Library = {
    async call(name, args, accepted = []) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      calls[name].async(...args, (error: unknown, value: number) => (error ? reject(error) : resolve(value)));
      const value = await promise;
      if (value === OK || accepted.includes(value)) return;
      throw new MeshError(
        "ca.unavailable",
        `use the PKCS#11 token: ${name} answered 0x${value.toString(16)}`,
        {
          hint: "PKCS#11 v2.40 tells what the number means; 0xa0 to 0xa4 are about the PIN",
        },
      );
    },
  };
  libraries.set(path, library);
  return library;
}

function bind(path: string): Readonly<Record<Name, Call>> {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    if (!typesDeclared) {
      koffi.struct("LateenCkAttribute", { type: "unsigned long", value: "void *", length: "unsigned long" });
      koffi.struct("LateenCkMechanism", {
        mechanism: "unsigned long",
        parameter: "void *",
        length: "unsigned long",
      });
      typesDeclared = true;
    }
    const loaded = koffi.load(path);
    const calls = Object.entries(DECLARATIONS).map(([name, text]) => [name, loaded.func(text)] as const);
    return Object.fromEntries(calls) as unknown as Readonly<Record<Name, Call>>;
  } catch (cause) {
    throw new MeshError("ca.unavailable", `load the PKCS#11 module ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "ca.pkcs11.module is the path of a shared library that the server can read",
    });
  }
}

function ulong(value: number): Buffer {
  const bytes = Buffer.alloc(ULONG_BYTES);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function readUlong(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE());
}
