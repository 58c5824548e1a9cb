/**
 * All access to the operating system, as an interface: everything above is passed the parts it uses
 * (`Pick<System, "now" | "sleep" | "run">`), so that tests can pass fakes.
 *
 * Every path is absolute and in the system's own notation, times are milliseconds since 1970 UTC, sizes are bytes, digests 64 hex digits, unless
 * said otherwise. Errors of the operating system are thrown as they are (`Deno.errors.NotFound`, …); ask {@linkcode faultOf} what they mean.
 */
import type { Pace } from "../async/pace.ts";
import type { Digest } from "../domain/receipt.ts";
import type { FileFacts, ToRead } from "../domain/source_file.ts";

/** Every other Unix counts as `linux`. */
export type Platform = "linux" | "darwin" | "windows";

/** What stat(2) says of a path. */
export interface PathFacts {
  readonly kind: "file" | "folder" | "symlink" | "other";
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** When it was created; 0 where the system does not tell. */
  readonly bornMs: number;
  /** The permission bits (`& 0o7777`); 0 on Windows. */
  readonly mode: number;
  /** How many names the file has; 1 where the system does not tell. */
  readonly links: number;
  /** `device:inode`, empty where the system gives none. */
  readonly identity: string;
  /** The accounts that it belongs to; null where the system does not tell (Windows). */
  readonly uid?: number | null;
  readonly gid?: number | null;
  /** Number of the device; empty where the system gives none. It may change with a reboot. */
  readonly device: string;
}

/** A program and its arguments: never a shell string. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the daemon's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** For a short look: much cheaper to start, but Ctrl+C in a terminal ends it, too. What it printed is worth nothing then. */
  readonly brief?: boolean;
}

/** How a program ended. Output is text, cut at 1 MiB for each stream. */
export interface Finished {
  readonly code: number;
  /** The signal that ended it, such as `SIGTERM`; null if it exited. */
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that keeps running, with all three pipes. Streams are drained even if nobody reads. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  write(data: Uint8Array | string): Promise<void>;
  closeStdin(): Promise<void>;
  /** Standard output, in pieces as they arrive. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** The last 64 KiB of standard error so far. */
  stderr(): string;
  readonly finished: Promise<{ code: number; signal: string | null }>;
  /** Asks it to end, and kills it two seconds later. */
  end(): Promise<void>;
}

/** Time and randomness, so that tests can pass their own. */
export interface Clock {
  /** May jump. For what is shown and stored. */
  now(): number;
  /** Milliseconds that only ever grow. For intervals and time-outs. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. `inStep`: up to two seconds sooner, when others that sleep in step wake up. */
  sleep(ms: number, signal?: AbortSignal, inStep?: "in step"): Promise<void>;
  random(): number;
  /** So many random bytes as hex digits: names that nobody else chooses, and secrets, as nobody can guess them. */
  randomHex(bytes: number): string;
}

/** Files and folders. No call blocks the event loop, and a disk that does not respond delays only calls about itself. */
export interface Files {
  /** What SQLite finds wrong with a database that may be in use; empty where nothing is. Works beside the main thread. */
  checkDatabase(path: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Names the folders (absolute) that may be on disks of their own: one that stops responding delays only calls about itself. */
  setBulkheads(folders: readonly string[]): void;
  /** Of a path without following a symlink; null where there is nothing. */
  facts(path: string): Promise<PathFacts | null>;
  /** Of what a path leads to, symlinks followed. */
  followedFacts(path: string): Promise<PathFacts | null>;
  /** The path with every symlink on the way resolved; null where there is nothing. */
  realPath(path: string): Promise<string | null>;
  /** The names in one folder, without a look at what they are. */
  names(folder: string): Promise<string[]>;
  /** The entries of one folder with their facts, symlinks not followed. Deno before 2.9 leaves out names that are not UTF-8. */
  list(folder: string): Promise<{
    entries: { name: string; facts: PathFacts }[];
    unreadable: { name: string; reason: string }[];
  }>;
  /**
   * Every regular file under `root` in batches, without following symlinks. Paths are relative with `/`. Throws when `root` itself cannot be
   * read: a missing root is never taken for an empty one. Once the signal is aborted, throws its reason.
   */
  walk(root: string, options: WalkOptions, signal: AbortSignal): AsyncIterable<WalkBatch>;
  /** At most `length` bytes from `offset`; fewer at the end of the file. */
  read(from: ToRead, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** SHA-256 of the whole file. */
  hash(from: ToRead, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Digest>;
  /**
   * A file as a whole, read and hashed once; null for one of 1 MiB or more, and perhaps for one that is not smaller than `into`. Cheap for many
   * at a time: a Worker reads them. @throws {Deno.errors.NotSupported} for what is no regular file.
   */
  readSmall(from: ToRead, into: SharedBytes | null, signal: AbortSignal): Promise<SmallFile | null>;
  /** Has a file read once from its beginning while it is hashed. @throws {Deno.errors.NotSupported} for what is no regular file; what `use` throws. */
  readSource<T>(from: ToRead, use: (source: SourceReader) => Promise<T>, signal: AbortSignal): Promise<T>;
  /**
   * Copies to a new file, hashing what was read, and flushes the copy. Continues after the first `options.from` bytes of an existing `to` (they are
   * hashed from the source; anything after them is cut off); without `from`, throws AlreadyExists where there is one. When aborted or failed, it
   * leaves what it has written.
   */
  copy(from: ToRead, to: string, options: CopyOptions, signal: AbortSignal): Promise<Digest>;
  /** SHA-256 of a whole file and of each of its chunks, of the same bytes: it is read once. */
  hashWithChunks(from: ToRead, chunkBytes: number, signal: AbortSignal): Promise<ChunkedDigest>;
  /** Writes into an existing file from `offset` on, over what is there. */
  writeInto(path: string, offset: number, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  bulkFiles(): BulkFiles;
  /** Flushes a file or folder to its disk (fsync); a no-op for folders on Windows. */
  sync(path: string): Promise<void>;
  /** Makes a new file and keeps it open for writing, as a camera does; throws AlreadyExists instead of replacing. */
  createFile(path: string): Promise<FileWriter>;
  /** Renames, replacing `to` atomically. */
  rename(from: string, to: string): Promise<void>;
  /** Makes a second name for a file; throws AlreadyExists instead of replacing. */
  link(from: string, to: string): Promise<void>;
  /** Waits for the exclusive lock of the folder and holds it until disposed of; where the system has no such locks, without waiting. */
  lockFolder(path: string, signal: AbortSignal): Promise<AsyncDisposable>;
  symlink(target: string, path: string): Promise<void>;
  /** Removes a file or an empty folder, if it exists. */
  remove(path: string): Promise<void>;
  /** Removes a folder and everything in it, if it exists. */
  removeTree(path: string): Promise<void>;
  /** With its parents. */
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Makes one folder; false if the name exists already. Throws NotFound if its parent does not exist. */
  makeInside(path: string, mode?: number): Promise<boolean>;
  /** Sets the modification time, and the access time to now. */
  setTimes(path: string, mtimeMs: number): Promise<void>;
  /** Permission bits; does nothing on Windows. */
  setMode(path: string, mode: number): Promise<void>;
  readText(path: string): Promise<string>;
  /** Writes by temporary file, fsync and rename, so that readers see the old or the new text. */
  writeText(path: string, text: string, mode?: number): Promise<void>;
  /** Free bytes for this account and the device of the file system that holds `path`. */
  space(path: string): Promise<{ freeBytes: number; device: string }>;
}

/**
 * Does with many small files what can be done without a question. What it has not done is to be done by the calls for one file, which tell why it
 * cannot be: nothing is left of it, or it is as before. Of few files it does nothing. Once the signal is aborted, nothing more is begun.
 */
export interface BulkFiles extends Disposable {
  /** Copies to new files, not flushed; the digest of what was read, null for what was not copied. `onFile` tells of each that was. */
  copy(
    copies: readonly BulkCopy[],
    onFile: (index: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<(Copied | null)[]>;
  /** SHA-256 of whole files; null for what was not read, such as one of more than 1 MiB. */
  hash(paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]>;
  /** Flushes files, then gives them names that are free; false for what still has its old name. Folders are not flushed. */
  name(names: readonly BulkName[], signal: AbortSignal): Promise<boolean[]>;
}

export interface BulkCopy {
  readonly from: ToRead;
  readonly to: string;
  /** The copy's time; null for now. */
  readonly mtimeMs: number | null;
  /** The copy gets the permission bits of its source. */
  readonly withMode: boolean;
  /** No more bytes than these are copied: the source may grow. */
  readonly most: number;
  /** A second hash, of the same bytes. */
  readonly also?: "md5" | "sha1" | undefined;
}

export type Copied = Digest & { readonly also?: string };

export interface BulkName {
  readonly file: string;
  readonly name: string;
  /** Permission bits that it gets first; null leaves them. */
  readonly mode: number | null;
}

/** The digest of a file, and SHA-256 of each chunk. */
interface ChunkedDigest extends Digest {
  readonly chunks: readonly string[];
}

export type SharedBytes = Uint8Array<SharedArrayBuffer>;

/** A small file as it was read. */
export interface SmallFile {
  /** It may lie in the buffer that was given. */
  readonly content: Uint8Array;
  readonly mode: number;
  readonly sha256: string;
}

/** A file that is read once. */
export interface SourceReader {
  /** When it was opened. */
  readonly bytes: number;
  readonly mode: number;
  readonly mtimeMs: number;
  /** The next `length` bytes, fewer where the file ends; a piece, of at most `pieceBytes`, is valid until the next is asked for. */
  read(length: number, pieceBytes?: number): AsyncIterable<Uint8Array>;
  /** Of all that has been read so far. */
  sha256(): string;
}

/** A file that is being written; closed when disposed of. */
interface FileWriter extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
}

/** Which folders are entered, and which names are left out. */
export interface WalkOptions {
  readonly recursive: boolean;
  /** Skip names that begin with a dot (Windows' hidden attribute is ignored). */
  readonly skipHidden: boolean;
  /** Lists the folders of this name, hidden or not, instead of files: no file is examined, which is much faster. */
  readonly foldersNamed?: string;
  /** The files come in stretches, and those that are known without their files. */
  readonly known?: FormerWalks;
}

export interface FormerWalks {
  /** Of stretches. */
  readonly digests: ReadonlySet<string>;
  /** Digests of folders that need not be read; null where the times of a folder do not tell that a name in it came or went. */
  readonly folders: ReadonlySet<string> | null;
  /** Any number, the same for all walks compared. */
  readonly seed: number;
}

/** Some of the files of a walk, in no particular order. */
export interface WalkBatch {
  readonly files: readonly FileFacts[];
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  /** Only with `known`: what the files are, one stretch after the other. */
  readonly stretches?: readonly Stretch[];
}

/** Files that were found one after the other, or a folder that was not read. */
export interface Stretch {
  /** It changes if any name, size or time in the stretch changes. */
  readonly digest: string;
  /** How many files of the batch it is; none where the digest is known. */
  readonly files: number;
  /** The next stretch may be of the same folder. */
  readonly goesOn: boolean;
  /** A folder ends here that has no folders in it: its digest, which changes when a name in it comes or goes. Absent where that is not sure. */
  readonly folder?: string;
}

/** How a file is copied. */
export interface CopyOptions {
  /** How many bytes are already there; 0 makes a new file. */
  readonly from?: number;
  /** No more bytes than these are copied, those that are already there included: the source may grow. */
  readonly most?: number;
  readonly pace?: Pace;
  /** Called with the bytes of each piece, not their sum. */
  readonly onBytes?: (bytes: number) => void;
  /** False if the caller flushes the copy, or needs no hash of it: that is empty then (default true). */
  readonly flush?: boolean;
  readonly hash?: boolean;
}

/** A hint that something under a watched root may have changed. */
export interface WatchEvent {
  /** `close` comes from Linux only: the last writer may have closed the file. */
  readonly kind: "create" | "write" | "close" | "remove" | "rename" | "chmod" | "other";
  /** Absolute paths; empty when the watcher lost track and everything must be listed again. */
  readonly paths: readonly string[];
}

/** What changes under a folder, and who still writes there. */
export interface Watching {
  /**
   * Hints until the signal is aborted, or the root is removed. Throws when it cannot be set up, or something in the root blocks it. A hint with empty
   * `paths` comes first, and whenever some may have been lost. That a root was replaced or mounted over, `sourceRoot()` notices.
   */
  watch(root: string, recursive: boolean, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Until the signal is aborted, this process is ended when its main thread stands still for minutes, where Deno allows that. */
  guardMainThread(signal: AbortSignal): void;
  /** Which of these files some process holds open, or mapped, for writing, all in one pass; null where this system cannot tell. */
  openForWriting(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string> | null>;
  /**
   * Whether `openForWriting` sees the files of every account (Linux and macOS as root, Windows always). Else a file that is not in the set still needs
   * the quiet time, unless its close event was seen. Writers on other machines (NFS, SMB) are never seen.
   */
  seesEveryWriter(): Promise<boolean>;
}

/** Programs of this computer: never a shell, and their output is limited. */
export interface Processes {
  /**
   * Runs a program to its end; killed when the signal is aborted (then throws the signal's reason). Any exit code is a result. Background processes
   * that it leaves are not waited for. @throws {Failure} `tool_missing`
   */
  run(command: Command, signal: AbortSignal, stdin?: string | Uint8Array): Promise<Finished>;
  /**
   * Starts a program that keeps running; ended when the signal is aborted. `onError` is given its standard error as it arrives, all of it before the
   * program is `finished`. @throws {Failure} `tool_missing`
   */
  spawn(command: Command, signal: AbortSignal, onError?: (piece: Uint8Array) => void): Promise<Child>;
  /** The absolute path of a program on the PATH (or of an absolute path, itself), or null. */
  which(program: string): Promise<string | null>;
}

/** Where this process runs, and as which account. */
export interface Surroundings {
  readonly platform: Platform;
  readonly pid: number;
  readonly hostname: string;
  /** The number of the account that runs this; null on Windows. */
  readonly uid: number | null;
  readonly home: string;
  readonly separator: "/" | "\\";
  /** The program that runs: the compiled binary, or `deno` from source. */
  readonly executable: string;
  readonly compiled: boolean;
  /** What this process uses: resident memory, and processor time since it started (user and system). */
  usage(): { rssBytes: number; cpuSeconds: number };
  env(name: string): string | undefined;
  /** A variable that holds a secret: programs that are started from now on find it empty. */
  secretEnv(name: string): string | undefined;
  /** The text of a file that is embedded in the binary, such as `service/image-transfer.service`. */
  embedded(path: string): Promise<string>;
  /** A short folder of mode 0700 for sockets and such, gone after a reboot. */
  runtimeFolder(): Promise<string>;
  /** Ends this process at once: no clean-up, no `finally`. For the named crash points of the fault tests. */
  crash(): never;
  /** Holds an exclusive lock on the file until released or the process ends; null when another process holds it. */
  lock(path: string): Promise<Lock | null>;
}

/** All of it; ask for the parts you use. */
export type System = Clock & Files & Watching & Processes & Surroundings & Serving & Terminal & Lifetime;

/** What an error of the operating system means. */
export type Fault =
  | "not_found"
  | "exists"
  | "permission"
  | "no_space"
  | "read_only"
  | "busy"
  | "not_a_folder"
  | "is_a_folder"
  | "name_too_long"
  | "bad_name"
  | "too_many_open_files"
  | "cross_device"
  | "unsupported"
  | "io"
  /** Of a source: another file has taken its place, or it was written again. */
  | "changed"
  | "aborted"
  | "other";

export interface Listening {
  readonly host: string;
  /** The port in use, also if 0 was asked for. */
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
}

/** What is served, and where. */
export interface ListenOptions {
  /** An address of this computer, or a name that leads to one. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** `peer` is the address at the other end of the connection. */
  readonly handler: (request: Request, peer: { readonly host: string; readonly port: number }) => Response | Promise<Response>;
  /** Certificate chain and key in PEM; plain HTTP without. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Told what the handler threw (the client gets a 500 without details), and what kept a connection from being accepted. */
  readonly onError?: (error: unknown) => void;
}

/** A request to a server on this computer. */
interface LocalQuestion {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How much of the answer is read, and a little more; all of it unless told. */
  readonly mostCharacters?: number;
}

/** With any status; `text` is the body as UTF-8. */
interface LocalAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What any server is asked. */
export interface RemoteQuestion extends Omit<LocalQuestion, "path" | "mostCharacters"> {
  /** Certificates to trust besides those that this computer trusts, in PEM form. */
  readonly ca?: string;
  /** How much of the answer is read; 1 MiB unless told. */
  readonly mostCharacters?: number;
}

/** An answer whose body is read as it comes; leaving the loop over it closes the connection. */
export interface RemoteStream extends Omit<LocalAnswer, "text"> {
  readonly pieces: AsyncIterableIterator<string>;
}

/** HTTP to and from this process, and WebSockets (RFC 6455). */
export interface Serving {
  /** Serves HTTP until the signal is aborted. Throws (fault `busy`) when the port is taken. */
  listen(options: ListenOptions, signal: AbortSignal): Promise<Listening>;
  /** Asks 127.0.0.1, never through a proxy; redirects are not followed. Throws a TypeError if nothing answers, the signal's reason when aborted. */
  askLocal(port: number, question: LocalQuestion, signal: AbortSignal): Promise<LocalAnswer>;
  /** As `askLocal`, any server, through the proxy of the environment; reads a little more than `mostCharacters` of a longer answer. */
  askRemote(url: string, question: RemoteQuestion, signal: AbortSignal): Promise<LocalAnswer>;
  /** As `askRemote`, for an answer that goes on: its pieces are given as they come. */
  hearRemote(url: string, question: RemoteQuestion, signal: AbortSignal): Promise<RemoteStream>;
  /** True where the first certificate of this PEM text names the host. */
  certifies(cert: string, host: string): boolean;
  /** Turns a request into a WebSocket; the response must be returned from the handler. */
  upgradeWebSocket(request: Request): { socket: WebSocket; response: Response };
}

export type StandardStream = "stdin" | "stdout" | "stderr";

/** What a person at a terminal sees and types. */
export interface Terminal {
  isTerminal(stream: StandardStream): boolean;
  /** Width of the terminal behind stdout or stderr in columns; null where there is none. */
  columns(): number | null;
  /** Writes all of the text at once. A reader that is gone (`| head`) is not an error: false then. */
  print(stream: "stdout" | "stderr", text: string): boolean;
  /** One line typed at the terminal, without its end; null at the end of input. */
  readLine(): Promise<string | null>;
  /** Lends the terminal, and Ctrl+C, to a program, such as an editor, until it ends; its exit code. @throws {Failure} `tool_missing` */
  lend(program: string, args: readonly string[]): Promise<number>;
}

/** Signals a daemon reacts to; SIGBREAK is Windows' Ctrl+Break. */
export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGBREAK" | "SIGUSR1" | "SIGUSR2";

/** Requests to end or reload this process, and reports to the service manager. */
export interface Lifetime {
  /** Calls the handler at these signals (those the system does not have are skipped), until the returned function is called. */
  onSignal(names: readonly SignalName[], handler: (name: SignalName) => void): () => void;
  /** Tells systemd (`READY=1`, `RELOADING=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=…`); false if nobody listens. */
  notifyServiceManager(state: string): Promise<boolean>;
  /** From now on this process may not start these programs. Only in the compiled binary, which has a list of those that it may. */
  giveUp(programs: readonly string[]): void;
  /** Whether a program, by name or path, was given up. */
  gaveUp(program: string): boolean;
  /** Kills all children, then ends the process. */
  exit(code: number): never;
}

/** Held until it is disposed of, or the process ends. */
export interface Lock extends AsyncDisposable {
  /** Whether its file still has its name: otherwise it excludes nobody. True where that cannot be told. */
  isInPlace(): Promise<boolean>;
}
