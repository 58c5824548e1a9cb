/** What is known of a remote: what its store can do, which of its hashes prove something, and how rclone is told to use it. */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { MethodContext } from "../method.ts";
import { checkPath } from "../naming.ts";
import { AT_ONCE, type Fields, type RcloneDaemon, type RcloneDestination, RcloneError } from "./rclone_daemon.ts";
import { rcloneFailure } from "./rclone_failures.ts";

/** A hash that a store makes of what it holds. */
export type StoreHash = "sha256" | "sha1" | "md5";

/** All calls of a session share it. */
export interface Remote {
  readonly destination: RcloneDestination;
  readonly context: MethodContext;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** What kind of store it is, as rclone calls it. */
  readonly type: string;
  /** Folders exist only by what is in them: an object store. */
  readonly isObjectStore: boolean;
  /** It shows a name only when it is whole, and tells a hash of its own of what has it. */
  readonly putsWhole: boolean;
  /** It has a copy of its own, or moves. */
  readonly copies: boolean;
  readonly moves: boolean;
  readonly tellsSpace: boolean;
  /** The hash that proves; null where files must be fetched back. */
  readonly hash: StoreHash | null;
  readonly about: string;
  /** The folder below the base path, as rclone's calls want it. `quick`: what was just written need not be looked at again. */
  fs(folder?: string, quick?: "quick"): Fields;
  /** The base path, with symlinks left out of every list: nothing that they lead to is ever removed. */
  itself(): Fields;
  /** Its lists show what symlinks lead to. */
  readonly hasSymlinks: boolean;
  /** One call. @throws {RcloneError} */
  call: RcloneDaemon["call"];
  /** Many calls at once; an error for each that failed, in order. @throws {Failure} where all did; `what` reads `Cannot <what>: …`. */
  callAll(
    calls: readonly (Fields & { readonly _path: string })[],
    what: string,
    signal: AbortSignal,
  ): Promise<(Fields | RcloneError)[]>;
}

/**
 * Hashes that a store makes of the bytes which it holds. Others keep what the client claims, which says nothing of what arrived:
 * they are read back. That of S3 is the ETag of an object that was put in one piece.
 */
const HASHES_THAT_PROVE: Readonly<Record<string, readonly StoreHash[]>> = {
  s3: ["md5"],
  "google cloud storage": ["md5"],
  drive: ["sha256", "sha1", "md5"],
  sftp: ["sha256", "sha1", "md5"],
  local: ["sha256", "sha1", "md5"],
};

/**
 * For S3: in one piece up to 5 GiB, the most that a store takes; no MD5 of ours beside the object, which could be mistaken for the
 * store's; a bucket that is gone is not made again.
 */
const S3_OPTIONS = { upload_cutoff: "5Gi", disable_checksum: "true", no_check_bucket: "true", no_head: "true" };
/** Fewer questions where the answer is known: two requests for a move instead of five. */
const S3_QUICK = { no_head_object: "true" };

/** Asks rclone. @throws {Failure} where there is no such remote, or its store cannot give names at once. */
export async function openRemote(
  { call }: RcloneDaemon,
  destination: RcloneDestination,
  context: MethodContext,
  signal: AbortSignal,
): Promise<Remote> {
  const { transport: { remote: name }, basePath } = destination;
  const base = basePath === "." ? "" : basePath;
  const where = `"${printable(`${name}:${base}`)}"`;
  const { type, isObjectStore, features, hashes, version } = await ask(call, name, destination, signal);
  const hash = HASHES_THAT_PROVE[type]?.find((hash) => hashes.includes(hash)) ?? null;
  const [copies, moves] = [features["Copy"] === true, features["Move"] === true];
  if (!copies && !moves && features["PartialUploads"] === true) {
    throw new Failure("configuration", `Cannot use ${where}: ${type} can neither rename nor copy files`, {
      next: "hold",
      hint: "Half a file would be visible under its name. Use another remote.",
    });
  }
  const options = type === "s3" ? S3_OPTIONS : {};
  const fs = (folder = "", quick?: "quick") => ({
    ...(type === "s3" && quick ? S3_QUICK : {}),
    ...options,
    _name: name,
    // With a slash at its end, rclone does not look whether it is a file, and does not take every error for a yes.
    _root: `${joined(base, folder)}${isObjectStore ? "/" : ""}`,
  });
  const hasSymlinks = type === "sftp";
  return {
    destination,
    context,
    where,
    type,
    isObjectStore,
    putsWhole: isObjectStore && features["PartialUploads"] !== true && hash !== null,
    copies,
    moves,
    tellsSpace: features["About"] === true,
    hash,
    about: `rclone ${version}, ${type}; ${hash ? `the store's ${hash.toUpperCase()}` : "files are read back to verify them"}`,
    fs,
    itself: () => ({ ...fs(), ...(hasSymlinks ? { skip_links: "true" } : {}) }),
    hasSymlinks,
    call,
    async callAll(calls, what, signal) {
      if (calls.length === 0) return [];
      const { results } = await call("job/batch", { inputs: calls, concurrency: AT_ONCE }, signal).catch((error) => {
        throw failureOf(error, what, signal);
      });
      return (results as Fields[]).map((result) =>
        typeof result["error"] === "string" ? new RcloneError(result["error"]) : result
      );
    },
  };
}

async function ask(
  call: RcloneDaemon["call"],
  name: string,
  { name: destination }: RcloneDestination,
  signal: AbortSignal,
) {
  try {
    const [{ version }, { type = "" }] = [await call("core/version", {}, signal), await call("config/get", { name }, signal)];
    const info = await call("operations/fsinfo", { fs: { _name: name, _root: "" } }, signal);
    const features = info["Features"] as Readonly<Record<string, boolean>>;
    return {
      version: String(version),
      type: String(type),
      features,
      isObjectStore: features["BucketBased"] === true && features["CanHaveEmptyDirectories"] !== true,
      hashes: (info["Hashes"] ?? []) as readonly string[],
    };
  } catch (error) {
    throw failureOf(error, `use the remote "${printable(name)}" for ${destination}`, signal);
  }
}

function joined(base: string, folder: string): string {
  if (base === "" || folder === "") return base + folder;
  return `${base.replace(/\/$/, "")}/${folder}`;
}

/** The Failure for anything that a call threw. */
export function failureOf(error: unknown, what: string, signal: AbortSignal): Failure {
  signal.throwIfAborted();
  if (error instanceof Failure) return error;
  if (error instanceof RcloneError) return rcloneFailure(error.message, what);
  throw error;
}

/** The path, if it can be a name there. @throws {Failure} `name_refused` */
export function checked({ where, type, isObjectStore }: Pick<Remote, "where" | "type" | "isObjectStore">, path: string): string {
  checkPath(path, where, false);
  const why = isObjectStore && NOT_XML.test(path)
    ? "the store cannot list names with control characters"
    : type !== "sftp" && path.includes(QUOTE)
    ? `rclone stores the character ${QUOTE} (U+201B) under another name`
    : null;
  if (why === null) return path;
  throw new Failure("name_refused", `Cannot use "${printable(path)}" below ${where}: ${why}`, {
    hint: "Rename the file, or change the layout.",
  });
}

/** Marks in rclone's own spelling of names what a store cannot hold; it doubles this one in turn, but where names are spelled alike. */
const QUOTE = "\u201b";

/** What XML 1.0, in which S3 lists names, cannot hold. */
// deno-lint-ignore no-control-regex -- they are what is refused
const NOT_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f]/;

/** What each rclone was told last, bytes per second: for what it sends, and for what it fetches. */
const limits = new WeakMap<Remote, Limits>();

interface Limits {
  readonly up: number | null;
  readonly down: number | null;
}

/**
 * Has it keep these limits for all that it sends or fetches. Told `anew`, rclone forgets what it could have sent while nothing was to be
 * sent: up to 4 MiB, which it would send at once.
 */
export async function keepLimits(remote: Remote, change: Partial<Limits>, signal: AbortSignal, anew?: "anew"): Promise<void> {
  const before = limits.get(remote) ?? { up: null, down: null };
  const { up, down } = { ...before, ...change };
  if (up === before.up && down === before.down && (anew === undefined || up === null)) return;
  const [sent, fetched] = [up, down].map((limit) => limit === null ? "off" : `${Math.max(1, Math.floor(limit))}B`);
  await remote.call(
    "core/bwlimit",
    { rate: COUNTED_AS_ONE.has(remote.type) && up !== null ? sent : `${sent}:${fetched}` },
    signal,
  );
  limits.set(remote, { up, down });
}

/**
 * rclone tells the two directions apart where it counts bytes of the network. These are no network, do not use its connections, or may
 * lead to such: there, a limit is for both directions together.
 */
const COUNTED_AS_ONE: ReadonlySet<string> = new Set([
  ...["local", "hdfs", "storj", "memory"],
  ...["alias", "chunker", "combine", "compress", "crypt", "hasher", "union", "cache"],
]);
