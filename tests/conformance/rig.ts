/** What the conformance suite needs to hold a method to its contract: a destination that it can look at from behind. */
import { join } from "@std/path";
import type { Destination, Transport } from "../../src/config/settings.ts";
import type { Digest } from "../../src/domain/receipt.ts";
import type { SourceFile } from "../../src/domain/source_file.ts";
import type { Method, MethodContext, Publication, Session, Upload } from "../../src/methods/method.ts";
import { LongLine, type LongLineParts } from "../../src/methods/ssh/long_line.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { aDestination as makeDestination } from "../support/makers.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

/** The destination's disk as someone sees it who sits there. Paths are relative to the base path. */
export interface View {
  read(path: string): Promise<Uint8Array | null>;
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Paths of all files below the base path, sorted; null where the base path does not exist. */
  files(): Promise<string[] | null>;
  facts(path: string): Promise<{ mtimeMs: number; mode: number } | null>;
}

/** A method with one destination. */
export interface Rig {
  readonly method: Method;
  readonly destination: Destination;
  readonly context: MethodContext;
  readonly view: View;
  /** Bytes that went over the wire to the destination so far; null where there is no wire. */
  readonly bytesSent: (() => number) | null;
}

/** A destination as a check wishes it. */
interface Wish {
  /** An existing or missing folder of this computer that is to be the base path; else one that is not yet there. */
  readonly base?: string;
  readonly settings?: Differences;
}

/** Somebody who wants to pass the suite. */
export interface Candidate {
  readonly name: string;
  readonly ignore: boolean;
  /** There is a real disk behind it: checks of full and read-only disks apply. */
  readonly onDisk: boolean;
  /** What its sessions must state. */
  readonly durability: Session["durability"];
  /** The server cannot replace a file at once: its name is free for a moment. */
  readonly replacesInTwoSteps?: boolean;
  /** Permissions that the server can set; all where it is not told. */
  readonly modes?: number;
  /** Names that cannot be carried there: each is refused, and alone. */
  readonly refuses?: RegExp;
  /** The longest name in bytes that can be replaced there; 255 where it is not told. */
  readonly longestName?: number;
  /** Files have the source's time whether that is asked for or not, or never. */
  readonly times?: "always" | "never";
  /** What it shows of what others have put there: nothing, names alone, or also links; where it is not told, owners as well. */
  readonly sees?: "nothing" | "names" | "links";
  /** Starts what all checks share (a server). */
  start(): Promise<Mount>;
}

export interface Mount extends AsyncDisposable {
  rig(wish: Wish, folder: TempFolder): Promise<Rig>;
}

/** Whom a check is for. */
interface Only {
  /** Only for candidates with a disk. */
  readonly onDisk?: boolean;
  readonly root?: boolean;
  /** Only for candidates with a disk that are told so much. */
  readonly strangers?: "names" | "links" | "owners";
}

/** One promise of the contract. */
export interface Check extends Only {
  /** Symbol and promise, as for every test. */
  readonly name: string;
  readonly run: (bench: Bench) => Promise<void>;
}

export function check(name: string, ...[only, run]: readonly [Check["run"], undefined?] | readonly [Only, Check["run"]]): Check {
  return run === undefined ? { name, run: only } : { name, run, ...only };
}

export const STAGING = ".image-transfer-test";

/** What one check works with; everything in it goes when the check ends. */
export interface Bench {
  readonly folder: TempFolder;
  readonly candidate: Candidate;
  readonly signal: AbortSignal;
  rig(wish?: Wish): Promise<Rig>;
  /** A session that is attached to a base path made for it. */
  session(rig: Rig): Promise<Session>;
  /** Both at once. */
  attached(wish?: Wish): Promise<{ readonly it: Rig; readonly open: Session }>;
  /** A file of the source's folder. */
  source(name: string, content: Uint8Array | string, settings?: { mtimeMs?: number; mode?: number }): Promise<SourceFile>;
}

export async function openBench(candidate: Candidate, mount: Mount): Promise<Bench & AsyncDisposable> {
  const folder = await tempFolder();
  const signal = new AbortController().signal;
  const sessions: Session[] = [];
  const session = async (rig: Rig) => {
    const session = await rig.method.connect(rig.destination, rig.context, signal);
    sessions.push(session);
    await session.attach(true, signal);
    return withPlainDigests(session);
  };
  return {
    folder,
    candidate,
    signal,
    rig: (wish = {}) => mount.rig(wish, folder),
    session,
    attached: async (wish = {}) => {
      const it = await mount.rig(wish, folder);
      return { it, open: await session(it) };
    },
    source: (name, content, settings = {}) => makeSource(folder.at("source"), name, content, settings),
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) await session[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What is compared is what is there; how that was found out is a matter of the method. */
function withPlainDigests(session: Session): Session {
  return {
    ...session,
    digest: async (paths, signal) =>
      (await session.digest(paths, signal)).map((found) => found && { bytes: found.bytes, sha256: found.sha256 }),
  };
}

/** Writes a file and gives its facts. */
export async function makeSource(
  root: string,
  name: string,
  content: Uint8Array | string,
  { mtimeMs = 1_783_281_600_000, mode = 0o640 }: { mtimeMs?: number; mode?: number } = {},
): Promise<SourceFile> {
  await Deno.mkdir(root, { recursive: true });
  const absolutePath = join(root, name);
  await Deno.writeFile(absolutePath, typeof content === "string" ? new TextEncoder().encode(content) : content);
  await Deno.chmod(absolutePath, mode);
  await Deno.utime(absolutePath, new Date(mtimeMs), new Date(mtimeMs));
  const { size, dev, ino, ctime } = await Deno.stat(absolutePath);
  return { job: "job", path: name, absolutePath, size, mtimeMs, ctimeMs: ctime?.getTime() ?? 0, identity: `${dev}:${ino}` };
}

/** What differs from the other destinations of this suite. */
export type Differences = Partial<Omit<Destination, "transport">>;
/** What differs from a login to this computer, as ssh_config has it. */
export type LoginDifferences = Partial<Omit<Transport<"rsync">, "method">>;

/** A destination of this suite on this computer. */
export function aDestination(differences: Differences = {}): Destination<Transport<"local">> {
  const suite = { job: "job", basePath: "/nowhere", timeoutMs: 20_000, parallelTransfers: 2 };
  return { ...makeDestination({ ...suite, ...differences }), transport: { method: "local" } };
}

/** The methods that log in by SSH. */
export type SshMethod = "rsync" | "tar" | "scp" | "sftp";

/** A destination of this suite at a server. */
export function aServer<M extends "auto" | SshMethod>(
  method: M,
  login: LoginDifferences,
  differences: Differences,
) {
  const transport = { method, host: "127.0.0.1", user: null, port: null, compression: false, rsyncOptions: [], ...login };
  return { ...aDestination(differences), transport };
}

/** A line with this round trip; where it is not `shared`, each channel would be a login. */
export function aLine(roundTripMs: number, shared = true, differences: Partial<LongLineParts> = {}): LongLine {
  return new LongLine({
    destination: aServer("sftp", {}, {}),
    context: { system: createSystem(), log: () => {} },
    sharing: shared ? { role: "client", path: "/run/socket" } : null,
    roundTripMs: () => roundTripMs,
    isLost: () => false,
    connectAgain: () => Promise.reject(new Error("not expected")),
    ...differences,
  });
}

/** The upload of a source in an attempt of ours. */
export function upload(source: SourceFile, number: number, attempt = "a1"): Upload {
  return { source, staged: `${STAGING}/${attempt}/${number}` };
}

export function publication(staged: string, target: string, settings: Partial<Publication> = {}): Publication {
  return { staged, target, onConflict: "version", fileMode: null, directoryMode: null, ...settings };
}

export function ignoreBytes(): void {}

export async function digestOf(content: Uint8Array | string): Promise<Digest> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
  return { bytes: bytes.length, sha256: [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
}

/** Bytes that neither compress nor repeat, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed * 2654435761 >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state >>> 0;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** The disk of this computer as a View. */
export function diskView(base: string): View {
  const at = (path: string) => join(base, path);
  return {
    read: (path) => orNull(() => Deno.readFile(at(path))),
    write: async (path, bytes) => {
      await Deno.mkdir(join(at(path), ".."), { recursive: true });
      await Deno.writeFile(at(path), bytes);
    },
    files: () => orNull(async () => (await walk(base)).map((path) => path.slice(base.length + 1)).sort()),
    facts: (path) =>
      orNull(async () => {
        const { mtime, mode } = await Deno.stat(at(path));
        return { mtimeMs: mtime?.getTime() ?? 0, mode: (mode ?? 0) & 0o7777 };
      }),
  };
}

async function walk(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) paths.push(...await walk(path));
    else paths.push(path);
  }
  return paths;
}

async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
