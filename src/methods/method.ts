/**
 * The contract between delivery and the methods of transfer. A method opens a Session; the session
 * puts files under staging names, tells digests, publishes. The conformance suite holds every method to it.
 *
 * Paths here (`staged`, `target`) are relative to the destination's base path, `/` between the parts,
 * already normalised. Staged names are made of safe characters only and lie under
 * `.image-transfer-<instance>/<attempt>/`; targets are hostile: any character but `/` and NUL.
 */
import type { Pace } from "../async/pace.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { ConflictPolicy, Destination, MethodName, Transport } from "../config/settings.ts";
import type { Digest, ProofLevel } from "../domain/receipt.ts";
import type { SourceFile } from "../domain/source_file.ts";
import type { System } from "../system/system.ts";

/** What a method is handed. */
export interface MethodContext {
  readonly system: System;
  /** Name of our staging folder at the destination: `.image-transfer-<instance>`. */
  readonly stagingRoot: string;
  /** A folder of ours on this computer for links and batch files; swept at start. It may be in memory. */
  readonly workFolder: string;
  /** The same on a disk, for what may not fit into memory; absent where the other one is on a disk. */
  readonly diskFolder?: string;
  /** A line for the log; the destination's name is put in front of it. */
  readonly log: (level: "debug" | "info" | "warning", message: string) => void;
  /**
   * Takes the right to log in once more while a session is open, and gives it back when that function is called; null while somebody
   * else logs in to that host, or while it is in trouble.
   */
  readonly logIn?: () => (() => void) | null;
  /** Keeps the limits of the line and of the destination; without it, a session keeps those of its destination alone. */
  readonly pace?: Pace;
}

/** What opens sessions: a method, or `auto`, which chooses one. */
export type Connector<M extends MethodName = MethodName> = Omit<Method<M>, "name">;

export interface Method<M extends MethodName = MethodName> {
  readonly name: Exclude<M, "auto">;
  /**
   * Opens a session: connects, probes tools. Does not make the base path: {@linkcode Session.attach} does.
   * @throws {Failure} what keeps the destination from being used, with its next step.
   */
  connect(destination: Destination<Transport<M>>, context: MethodContext, signal: AbortSignal): Promise<Session>;
}

/** A file to be put under a staging name. */
export interface Upload {
  readonly source: SourceFile;
  /** `<stagingRoot>/<attempt>/<safe name>` */
  readonly staged: string;
  /** The source's permission bits, where somebody has just looked. */
  readonly mode?: number;
  /** Where an earlier attempt left part of the same file version, if it did; the session may use or ignore it. */
  readonly leftover?: string;
  /** The source is hashed when it was sent: `sent` is not needed. */
  readonly hashedLater?: true;
  /**
   * The final name, for a session whose destination shows a name only when it is whole and proven: it may put the file there at once, where
   * nothing has that name. Then {@linkcode Session.survey} and {@linkcode Session.digest} of `staged` tell of what is there, and
   * {@linkcode Session.publish} has nothing left to do.
   */
  readonly target?: string;
}

/**
 * What became of one upload; in the order of the uploads. `sent` is the digest of all the source's bytes as this call read
 * them, the part that was resumed included: the source need not be read again to know what was sent. `there` is what {@linkcode Session.digest}
 * would tell now: the file was hashed there, or read back, after it was written.
 */
export type PutOutcome =
  | { readonly put: true; readonly sent?: Digest; readonly there?: Digest }
  | { readonly put: false; readonly failure: FailureRecord };

/** A staged and proven file to be given its final name. */
export interface Publication {
  readonly staged: string;
  readonly target: string;
  /** What to do when something else (other bytes) has the final name. `skip` and `fail` both leave it and answer `exists`. */
  readonly onConflict: ConflictPolicy;
  /** Mode for the file and for folders made on the way; null leaves them as they are. */
  readonly fileMode: number | null;
  readonly directoryMode: number | null;
}

/** What became of one publication; in order. */
export type PublishOutcome =
  /** It has its final name; `former` is where a different file that had the name was kept (`version`). */
  | { readonly published: true; readonly former?: string }
  | { readonly published: false; readonly failure: FailureRecord };

/** A delivered file that goes, because its source was deleted (`delete_destination_files`). */
export interface Removal {
  readonly path: string;
  /** Its length. What has another length by now is left alone. */
  readonly bytes: number;
  /** Its name in the trash: {@linkcode inTrash}; null removes it for good. */
  readonly to: string | null;
}

/** What became of one removal; in order. `gone` where nothing was there, `exists` where something has the name `to`. */
export type RemovalOutcome =
  | { readonly removed: true }
  | { readonly removed: false; readonly failure: FailureRecord };

/** What is at a path. */
export interface Stat {
  /** Its length; meaningless for what is no file. */
  readonly bytes: number;
  readonly kind: "file" | "folder" | "other";
  /** Where the destination is on this computer: the `identity` of what the path leads to, to be compared with the source's. */
  readonly identity?: string;
}

/** The destination as found: free space, and which device the base path is on (opaque; compared, never parsed). */
export interface Mount {
  /** For this account; null where it cannot be asked. */
  readonly freeBytes: number | null;
  /** Null where it cannot be asked. */
  readonly device: string | null;
  /**
   * When the base folder was made, as its disk has it: another disk at the same mount point has another folder there. Told with `probe`, where
   * `device` is not enough: a mount point, or a number that the next disk at the port gets, too; not there where it is not known.
   */
  readonly born?: string;
  /** True where it lies on the file system of `/`; not there where that is not known. Meant for the first contact (`create`). */
  readonly onSystemDisk?: boolean;
  /** True where the folder was not there and `create` has made it. */
  readonly made?: boolean;
}

/** A {@linkcode Mount.device} that begins so is the `f_fsid` of `statvfs(3)`; others are numbers of devices, or mount points. */
export const FILE_SYSTEM_ID = "fsid:";

/**
 * What a power cut at the destination leaves of what {@linkcode Session.publish} said is published.
 * - `flushed`: all of it; contents and names are on the disk.
 * - `ordered`: whole files only, but perhaps not the last names: contents are on the disk, names follow in the order of the file
 *   system's journal.
 * - `unconfirmed`: flushing was asked for, but the destination does not say whether it can.
 */
export type Durability = "flushed" | "ordered" | "unconfirmed";

/** Bytes of a chunk of a file that is sent while it is still written; its last one may be shorter. */
export const CHUNK_BYTES = 8 * 1024 * 1024;

/**
 * Parts of files that are still being written, under staging names. Calls for one part are made one after the other. Nothing is decided
 * here: what was sent early is compared with the finished file, chunk by chunk.
 */
export interface PartFiles {
  /**
   * Makes the folder for a new part. `from` is one that an earlier session left: its whole chunks are copied, because something there may
   * still write into it. Gives how many chunks there are now.
   */
  begin(staged: string, from: string | null, signal: AbortSignal): Promise<number>;
  /** Writes chunks behind the `count` that are there; resolves when the destination has them all. */
  append(staged: string, count: number, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Writes one chunk in the place of another one. */
  replace(staged: string, chunk: number, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** SHA-256 of these chunks as the destination has them, in order; null for one that is not there. */
  digests(staged: string, chunks: readonly number[], signal: AbortSignal): Promise<(string | null)[]>;
  /** Has the destination begin to write it to its disk, so that publishing needs not wait for all of it. */
  flush(staged: string, signal: AbortSignal): Promise<void>;
  /** Gives it the times and the mode that `put` would give it, and moves it to another staging name, whose folder is made. */
  finish(staged: string, to: string, source: SourceFile, signal: AbortSignal): Promise<void>;
}

/** A connection to one destination. Calls may overlap unless said otherwise. Every failure is a {@linkcode Failure}. */
export interface Session extends AsyncDisposable {
  /** The best proof that {@linkcode digest} gives here. */
  readonly proof: Extract<ProofLevel, "checksum" | "read_back">;
  readonly durability: Durability;
  /** {@linkcode put} gives `sent` for every file that it puts. */
  readonly hashesSource: boolean;
  /** {@linkcode put} makes use of {@linkcode Upload.target}: what it sends may be seen before it is published. */
  readonly showsInPut?: true;
  /** It resumes a part that an earlier attempt left. Where it cannot, a part is of no use. */
  readonly resumes: boolean;
  /**
   * True where only the process that asks for a flush hears its answer, and that is ours: what it has staged whole when it ends may have
   * failed to reach the disk, which tells that only once (fsync(2)). The next process sends it again.
   */
  readonly sendsStagedAgain: boolean;
  /** For files that are still being written; absent where the method cannot send them early. */
  readonly parts?: PartFiles;
  /** The method at work after `auto` has chosen. */
  readonly method: Exclude<MethodName, "auto">;
  /** How many streams a put makes of much data, now: more than one over a long line. A batch may be larger then. */
  streams?(): number;
  /** For status and doctor: tools, versions, hash program. */
  readonly about: string;
  /**
   * Finds the base path and tells its device; with `create`, makes it (once, at first contact). With `probe`, also leaves an empty
   * folder of that name below our staging folder, where it can be made; `sweep` takes it away again like an attempt.
   * @throws {Failure} `device_missing` where the base path is not there and `create` is false.
   */
  attach(create: boolean, signal: AbortSignal, probe?: string): Promise<Mount>;
  /**
   * What is at these paths, in order; null = nothing. Cheap: no content is read. `staging` is a folder that will be needed for a put
   * soon: it may be made in the same round trip.
   */
  survey(paths: readonly string[], signal: AbortSignal, staging?: string): Promise<(Stat | null)[]>;
  /**
   * Bytes and SHA-256 of the files at these paths as the destination has them, in order; null = no such file. What keeps one file alone
   * from being read is a `mismatch`. With `calm`, others have the processor there first, and what is read back respects the bandwidth
   * limit.
   */
  digest(paths: readonly string[], signal: AbortSignal, calm?: "calm"): Promise<(Digest | null)[]>;
  /** When the content of the file was last changed, milliseconds since 1970 UTC, as the destination tells; null where it does not. */
  modifiedAt(path: string, signal: AbortSignal): Promise<number | null>;
  /**
   * Puts files under their staging names, all in one folder that no other call has at the time, and makes that. One bad file fails alone.
   * `onBytes(index, bytes)` tells how far an upload is; some tools tell only in steps. A put that tells nothing,
   * and whose files do not grow at the destination, is given up after `transfer_timeout_seconds`.
   * @throws {Failure} when the whole batch is lost (connection, disk full…); what arrived stays staged.
   */
  put(uploads: readonly Upload[], onBytes: (index: number, bytes: number) => void, signal: AbortSignal): Promise<PutOutcome[]>;
  /**
   * fsync staged files, rename to the final names (atomic replace), fsync the folders, as far as {@linkcode durability} says.
   * Folders on the way are made. A target that is a folder fails with `exists`.
   */
  publish(items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]>;
  /**
   * Flushes files that have these names already, and the folders on the way to them, as if they had just been published.
   * @throws {Failure} `link_refused`, before anything is flushed, where the link of another account is on the way to one of them.
   */
  flush(paths: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Moves files to the trash, or removes them for good. A move is a rename within the destination's file system that replaces
   * nothing; the folders on the way to the new name are made. A folder, a link, and a file of another length are left alone.
   * What was removed is as durable as what is published. One bad file fails alone.
   * A method that cannot do this is named in `CANNOT_REMOVE` (`config/schema/schema_methods.ts`).
   * @throws {Failure} when all is lost (connection, base path…); what was removed by then stays removed.
   */
  remove(items: readonly Removal[], signal: AbortSignal): Promise<RemovalOutcome[]>;
  /** Removes these folders of the trash ({@linkcode isInTrash}) with all that is in them. Nothing there is fine. */
  emptyTrash(folders: readonly string[], signal: AbortSignal): Promise<void>;
  /** Attempts of ours that left something: folder names under the staging root. */
  leftovers(signal: AbortSignal): Promise<string[]>;
  /** Removes the staged remains of these attempts; with `null`, the whole staging root. Nothing there is fine. */
  sweep(attempts: readonly string[] | null, signal: AbortSignal): Promise<void>;
}

/** All of a Session that sends nothing. */
export type DestinationFiles = Pick<
  Session,
  "attach" | "survey" | "digest" | "modifiedAt" | "publish" | "flush" | "remove" | "emptyTrash" | "leftovers" | "sweep"
>;
