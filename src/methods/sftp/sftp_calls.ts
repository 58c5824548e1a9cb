/**
 * What can be asked of an SFTP server, as functions: a refusal is a value, for it is often expected; only a lost connection is thrown.
 */
import type { Failure } from "../../domain/failure.ts";
import { FILE_SYSTEM_ID } from "../method.ts";
import type { SftpClient } from "./sftp_client.ts";
import { type Answer, type Attributes, decodeUint64s, type Field, OPEN_FOR, REQUEST, STATUS } from "./sftp_protocol.ts";

/** What a server says of something that it did not do: a code of `STATUS`, and words. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** What was asked for, or why it is not given. */
export type Given<T> = { readonly value: T; readonly refusal: null } | { readonly value: null; readonly refusal: Refusal };

/** A file or folder that is open there. */
export type Handle = Uint8Array;

/** How much the server takes. */
export interface SftpLimits {
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly openFiles: number;
}

/** The calls of one connection. Those that give nothing give null where they worked. Every path is absolute. */
export type SftpCalls = ReturnType<typeof sftpCalls>;

/** What every server takes (draft-ietf-secsh-filexfer-02, section 3). */
const SURE_BYTES = 32 * 1024;
/** What OpenSSH takes; each piece costs an answer. */
const MOST_BYTES = 255 * 1024;
/** Few servers allow fewer than 256 open files to a process. */
const OPEN_FILES = 128;
/** A folder with more names, or longer ones, does not end. */
const MOST_NAMES = 300_000;
const MOST_CHARACTERS = 32 * 1024 * 1024;
/** Fields of the answer to statvfs@openssh.com: the size of a block, how many this account may still write, and `f_fsid`. */
const STATVFS = { fields: 11, blockBytes: 1, freeBlocks: 4, fileSystem: 8 } as const;

/** Calls by this client. */
export function sftpCalls(client: SftpClient) {
  const { ask, order, extended, numbers } = questions(client);
  const plainRename = (from: string, to: string) => order(REQUEST.RENAME, [from, to]);

  return {
    get lost(): Failure | null {
      return client.lost;
    },
    get written(): Promise<void> {
      return client.written;
    },
    /** Files are flushed where they are asked to be. */
    flushes: client.extensions.has("fsync@openssh.com"),
    home: () => ask(REQUEST.REALPATH, ["."], (answer) => answer.kind === "names" ? answer.names[0]?.name ?? null : null),
    /** Follows symlinks. */
    stat: (path: string) => ask(REQUEST.STAT, [path], attributes),
    lstat: (path: string) => ask(REQUEST.LSTAT, [path], attributes),
    setMode: (path: string, mode: number) => order(REQUEST.SETSTAT, [path, { permissions: mode }]),
    mkdir: (path: string, permissions?: number) => order(REQUEST.MKDIR, [path, permissions === undefined ? {} : { permissions }]),
    rmdir: (path: string) => order(REQUEST.RMDIR, [path]),
    remove: (path: string) => order(REQUEST.REMOVE, [path]),
    /** Must not replace, says the protocol; servers written in Go do. */
    plainRename,
    /** Replaces at once where the server can; else it is the plain one. */
    rename: (from: string, to: string) =>
      client.extensions.has("posix-rename@openssh.com") ? extended("posix-rename@openssh.com", from, to) : plainRename(from, to),
    link: (from: string, to: string) => extended("hardlink@openssh.com", from, to),
    create: (path: string, permissions: number) =>
      ask(REQUEST.OPEN, [path, OPEN_FOR.WRITE | OPEN_FOR.CREATE | OPEN_FOR.TRUNCATE, { permissions }], handle),
    /** For writing into what is there. */
    reopen: (path: string) => ask(REQUEST.OPEN, [path, OPEN_FOR.WRITE, {}], handle),
    open: (path: string) => ask(REQUEST.OPEN, [path, OPEN_FOR.READ, {}], handle),
    close: (file: Handle) => order(REQUEST.CLOSE, [file]),
    /** Fewer bytes where the server gives fewer, or the file ends. */
    read: (file: Handle, at: number, length: number) =>
      ask(REQUEST.READ, [file, BigInt(at), length], (answer) => {
        if (answer.kind !== "data") return null;
        if (answer.bytes.length > length) throw client.misbehaved("it sends more than it was asked for");
        return answer.bytes;
      }),
    write: (file: Handle, at: number, bytes: Uint8Array) => order(REQUEST.WRITE, [file, BigInt(at)], bytes),
    setAttributes: (file: Handle, changes: Attributes) => order(REQUEST.FSETSTAT, [file, changes]),
    flush: (file: Handle) => extended("fsync@openssh.com", file),
    /** Names and kinds in a folder, without `.` and `..`. */
    list: (path: string) => listFolder(client, path),
    /** Free bytes for this account, and which file system it is; null where the server cannot tell. */
    space: async (path: string) => {
      const space = await numbers("statvfs@openssh.com", STATVFS.fields, path);
      if (space === null) return { freeBytes: null, device: null };
      const id = space[STATVFS.fileSystem]!;
      return {
        freeBytes: space[STATVFS.blockBytes]! * space[STATVFS.freeBlocks]!,
        device: id === 0 ? null : `${FILE_SYSTEM_ID}${id}`,
      };
    },
    limits: async () => limitsOf(await numbers("limits@openssh.com", 4) ?? []),
  };
}

/** The four ways to ask. */
function questions(client: SftpClient) {
  const order = async (type: number, fields: readonly Field[], data?: Uint8Array): Promise<Refusal | null> => {
    const answer = await client.request(type, fields, data);
    if (answer.kind !== "status") throw client.misbehaved(`it answers with ${answer.kind}`);
    return answer.code === STATUS.OK ? null : answer;
  };
  const ask = async <T>(type: number, fields: readonly Field[], read: (answer: Answer) => T | null): Promise<Given<T>> => {
    const answer = await client.request(type, fields);
    const value = read(answer);
    if (value !== null) return { value, refusal: null };
    if (answer.kind === "status" && answer.code !== STATUS.OK) return { value: null, refusal: answer };
    throw client.misbehaved(`it answers with ${answer.kind}`);
  };
  const extended = (name: string, ...fields: readonly Field[]): Promise<Refusal | null> =>
    client.extensions.has(name) ? order(REQUEST.EXTENDED, [name, ...fields]) : Promise.resolve(UNSUPPORTED);
  const numbers = async (name: string, count: number, ...fields: readonly Field[]): Promise<number[] | null> => {
    if (!client.extensions.has(name)) return null;
    const read = (answer: Answer) =>
      answer.kind === "extended" && answer.body.length >= 8 * count ? decodeUint64s(answer.body, count) : null;
    return (await ask(REQUEST.EXTENDED, [name, ...fields], read)).value;
  };
  return { order, ask, extended, numbers };
}

function handle(answer: Answer): Handle | null {
  return answer.kind === "handle" ? answer.handle : null;
}

function attributes(answer: Answer): Attributes | null {
  return answer.kind === "attributes" ? answer.attributes : null;
}

interface Entry {
  readonly name: string;
  readonly attributes: Attributes;
}

async function listFolder(client: SftpClient, path: string): Promise<Given<readonly Entry[]>> {
  const { ask, order } = questions(client);
  const opened = await ask(REQUEST.OPENDIR, [path], handle);
  if (opened.value === null) return opened;
  const found: Entry[] = [];
  let characters = 0;
  for (;;) {
    const page = await ask(REQUEST.READDIR, [opened.value], (answer) => answer.kind === "names" ? answer.names : null);
    if (page.value === null) break;
    for (const entry of page.value) {
      found.push(entry);
      characters += entry.name.length;
    }
    const isEndless = page.value.length === 0 || found.length > MOST_NAMES || characters > MOST_CHARACTERS;
    if (isEndless) throw client.misbehaved("a folder there does not end");
  }
  await order(REQUEST.CLOSE, [opened.value]);
  return { value: found.filter(({ name }) => name !== "." && name !== ".."), refusal: null };
}

/** From the answer to limits@openssh.com; 0 is no limit that is known. */
function limitsOf([, read = 0, write = 0, files = 0]: readonly number[]): SftpLimits {
  const bounded = (bytes: number) => bytes === 0 ? SURE_BYTES : Math.min(bytes, MOST_BYTES);
  return {
    readBytes: bounded(read),
    writeBytes: bounded(write),
    openFiles: files === 0 ? OPEN_FILES : Math.max(1, Math.min(OPEN_FILES, files - 1)),
  };
}

const UNSUPPORTED: Refusal = { code: STATUS.UNSUPPORTED, message: "the server does not offer this" };
