/**
 * Packets of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02) with the extensions of OpenSSH's PROTOCOL
 * file. Pure: bytes in, bytes out. Our own, because the npm packages that know these packets (ssh2 and its forks) keep them
 * inside an SSH of their own, which knows nothing of the user's ssh_config, agent and known_hosts.
 */

/** What a client asks. */
export const REQUEST = {
  INIT: 1,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  EXTENDED: 200,
} as const;

/** How the second argument of OPEN is made of bits. */
export const OPEN_FOR = { READ: 1, WRITE: 2, CREATE: 8, TRUNCATE: 16 } as const;

/** What a server says of a request that gives nothing else. */
export const STATUS = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  UNSUPPORTED: 8,
} as const;

const ANSWER = { VERSION: 2, STATUS: 101, HANDLE: 102, DATA: 103, NAMES: 104, ATTRIBUTES: 105, EXTENDED: 201 } as const;
const ATTRIBUTE = { SIZE: 1, OWNERS: 2, PERMISSIONS: 4, TIMES: 8, EXTENDED: 0x8000_0000 } as const;

/** The version that is spoken here. */
export const SFTP_VERSION = 3;
/** Longest packet that is accepted. OpenSSH takes and sends a quarter of it. */
export const LONGEST_PACKET = 1024 * 1024;

/** What is known of a file; what a server does not tell is missing. */
export interface Attributes {
  readonly bytes?: number;
  /** Number of the account that it belongs to. */
  readonly uid?: number;
  /** As `st_mode`: with the bits that tell a file from a folder. */
  readonly permissions?: number;
  /** Whole seconds since 1970 UTC, for access and modification. */
  readonly times?: { readonly accessed: number; readonly modified: number };
}

/** The kind that permissions tell. */
export function kindOf({ permissions }: Attributes): "file" | "folder" | "other" {
  if (permissions === undefined) return "file";
  const type = permissions & 0o170000;
  return type === 0o100000 || type === 0 ? "file" : type === 0o040000 ? "folder" : "other";
}

/** As a link itself is shown by LSTAT. */
export function isLink({ permissions }: Attributes): boolean {
  return ((permissions ?? 0) & 0o170000) === 0o120000;
}

/** What a server answers. */
export type Answer =
  | { readonly kind: "status"; readonly code: number; readonly message: string }
  | { readonly kind: "handle"; readonly handle: Uint8Array }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "names"; readonly names: readonly { readonly name: string; readonly attributes: Attributes }[] }
  | { readonly kind: "attributes"; readonly attributes: Attributes }
  | { readonly kind: "extended"; readonly body: Uint8Array };

/** The far end says something that is no SFTP. */
export class ProtocolError extends Error {}

/** A number is a uint32, a bigint a uint64, text and bytes are strings. */
export type Field = number | bigint | string | Uint8Array | Attributes;

/**
 * A request as it goes over the wire. `id` is null for INIT alone. `data` is the last field of a WRITE: it is counted, and has to be
 * sent behind what is returned; so it need not be copied.
 */
export function encodeRequest(type: number, id: number | null, fields: readonly Field[], data?: Uint8Array): Uint8Array {
  const parts = fields.map(encoded);
  const length = 1 + (id === null ? 0 : 4) + parts.reduce((sum, part) => sum + part.length, 0) + (data ? 4 + data.length : 0);
  const packet = new Uint8Array(4 + length - (data?.length ?? 0));
  const view = new DataView(packet.buffer);
  view.setUint32(0, length);
  packet[4] = type;
  let at = 5;
  if (id !== null) view.setUint32(5, id);
  if (id !== null) at += 4;
  for (const part of parts) {
    packet.set(part, at);
    at += part.length;
  }
  if (data) view.setUint32(at, data.length);
  return packet;
}

function encoded(field: Field): Uint8Array {
  if (typeof field === "number") return uint32s(field);
  if (typeof field === "bigint") return uint32s(Number(field >> 32n), Number(field & 0xffff_ffffn));
  if (typeof field === "string") return encoded(new TextEncoder().encode(field));
  if (!(field instanceof Uint8Array)) return encodedAttributes(field);
  const bytes = new Uint8Array(4 + field.length);
  new DataView(bytes.buffer).setUint32(0, field.length);
  bytes.set(field, 4);
  return bytes;
}

function encodedAttributes({ bytes, permissions, times }: Attributes): Uint8Array {
  const flags = (bytes === undefined ? 0 : ATTRIBUTE.SIZE) | (permissions === undefined ? 0 : ATTRIBUTE.PERMISSIONS) |
    (times === undefined ? 0 : ATTRIBUTE.TIMES);
  const size = bytes === undefined ? [] : [Math.floor(bytes / 2 ** 32), bytes % 2 ** 32];
  const mode = permissions === undefined ? [] : [permissions];
  return uint32s(flags, ...size, ...mode, ...(times === undefined ? [] : [times.accessed, times.modified]));
}

function uint32s(...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setUint32(4 * index, number));
  return bytes;
}

/** What the server offers. @throws {ProtocolError} */
export function decodeVersion(packet: Uint8Array): { readonly version: number; readonly extensions: ReadonlySet<string> } {
  const reader = new PacketReader(packet);
  if (reader.byte() !== ANSWER.VERSION) throw new ProtocolError("it does not begin with its version");
  const version = reader.uint32();
  const extensions = new Set<string>();
  while (!reader.atEnd) {
    extensions.add(reader.text());
    reader.string();
  }
  return { version, extensions };
}

/** An answer, and the number of the request that it is for. @throws {ProtocolError} */
export function decodeAnswer(packet: Uint8Array): { readonly id: number; readonly answer: Answer } {
  const reader = new PacketReader(packet);
  const type = reader.byte();
  return { id: reader.uint32(), answer: answerOf(type, reader) };
}

function answerOf(type: number, reader: PacketReader): Answer {
  switch (type) {
    case ANSWER.STATUS:
      // Servers of the first versions send no message.
      return { kind: "status", code: reader.uint32(), message: reader.atEnd ? "" : reader.text() };
    case ANSWER.HANDLE:
      return { kind: "handle", handle: reader.string() };
    case ANSWER.DATA:
      return { kind: "data", bytes: reader.string() };
    case ANSWER.NAMES:
      return { kind: "names", names: namesOf(reader) };
    case ANSWER.ATTRIBUTES:
      return { kind: "attributes", attributes: reader.attributes() };
    case ANSWER.EXTENDED:
      return { kind: "extended", body: reader.rest() };
    default:
      throw new ProtocolError(`it answers with a packet of the unknown type ${type}`);
  }
}

function namesOf(reader: PacketReader): { name: string; attributes: Attributes }[] {
  const names = [];
  for (let left = reader.uint32(); left > 0; left--) {
    const name = reader.text();
    reader.string(); // The line that `ls -l` would print.
    names.push({ name, attributes: reader.attributes() });
  }
  return names;
}

/** The numbers of an extended answer that holds nothing but uint64. @throws {ProtocolError} */
export function decodeUint64s(body: Uint8Array, count: number): number[] {
  const reader = new PacketReader(body);
  return Array.from({ length: count }, () => reader.uint64());
}

class PacketReader {
  #at = 0;
  readonly #view: DataView;

  constructor(readonly packet: Uint8Array) {
    this.#view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  }

  get atEnd(): boolean {
    return this.#at >= this.packet.length;
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  uint64(): number {
    return this.uint32() * 2 ** 32 + this.uint32();
  }

  string(): Uint8Array {
    const length = this.uint32();
    const from = this.#take(length);
    return this.packet.subarray(from, from + length);
  }

  text(): string {
    return new TextDecoder().decode(this.string());
  }

  rest(): Uint8Array {
    return this.packet.subarray(this.#take(this.packet.length - this.#at));
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const bytes = flags & ATTRIBUTE.SIZE ? { bytes: this.uint64() } : {};
    const owner = flags & ATTRIBUTE.OWNERS ? { uid: this.uint32() } : {};
    if (flags & ATTRIBUTE.OWNERS) this.#take(4);
    const permissions = flags & ATTRIBUTE.PERMISSIONS ? { permissions: this.uint32() } : {};
    const times = flags & ATTRIBUTE.TIMES ? { times: { accessed: this.uint32(), modified: this.uint32() } } : {};
    for (let left = flags & ATTRIBUTE.EXTENDED ? this.uint32() : 0; left > 0; left--) {
      this.string();
      this.string();
    }
    return { ...bytes, ...owner, ...permissions, ...times };
  }

  #take(bytes: number): number {
    const from = this.#at;
    if (bytes > this.packet.length - from) throw new ProtocolError("it sends a packet that ends too early");
    this.#at += bytes;
    return from;
  }
}

/** Cuts what arrives into packets: each is a copy of its own, without its length. */
export class PacketSplitter {
  readonly #head = new Uint8Array(4);
  #headBytes = 0;
  #packet: Uint8Array | null = null;
  #packetBytes = 0;

  /** The packets that these bytes complete. @throws {ProtocolError} for a length that no packet has. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length;) {
      if (this.#packet === null) {
        this.#head[this.#headBytes++] = bytes[at++]!;
        if (this.#headBytes === 4) this.#begin();
        continue;
      }
      const piece = bytes.subarray(at, at + this.#packet.length - this.#packetBytes);
      this.#packet.set(piece, this.#packetBytes);
      this.#packetBytes += piece.length;
      at += piece.length;
      if (this.#packetBytes < this.#packet.length) return;
      const whole = this.#packet;
      [this.#packet, this.#packetBytes, this.#headBytes] = [null, 0, 0];
      yield whole;
    }
  }

  #begin(): void {
    const length = new DataView(this.#head.buffer).getUint32(0);
    if (length < 5 || length > LONGEST_PACKET) throw new ProtocolError(`it sends a packet of ${length} bytes`);
    this.#packet = new Uint8Array(length);
  }
}
