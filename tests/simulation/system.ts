/**
 * The `System` that one life of the program is given: its calls are made on the disks of the simulated world, each some time from now and
 * with the faults that the world has at that moment. What a Worker does is done here, one call after the other.
 */
import { createHash } from "node:crypto";
import { queue } from "../../src/async/queue.ts";
import type { Digest } from "../../src/domain/receipt.ts";
import { Failure } from "../../src/domain/failure.ts";
import type { BulkFiles } from "../../src/system/system.ts";
import { walkTree } from "../../src/system/files/walk_tree.ts";
import { type Expected, pathToRead, sameFingerprint, type ToRead } from "../../src/domain/source_file.ts";
import type { CopyOptions, Files, Lock, PathFacts, SourceReader, System, WatchEvent } from "../../src/system/system.ts";
import { type Change, errnoError, Hanging, type Inode, type Tree } from "./disk.ts";
import { type Delay, type Life, Waiting } from "./world.ts";

/** How long calls take, milliseconds. */
const QUICK: Delay = [0.01, 0.3];
const FLUSH: Delay = [0.2, 6];
const LOOK_AT_WRITERS: Delay = [2, 40];
const HINT: Delay = [0.05, 25];
/** Read and written at a time: what happens between two pieces is seen. */
const PIECE_BYTES = 4096;
/** Events of what is made in a new folder before the watcher has found it are lost. */
const FOLDER_FOUND: Delay = [0.1, 15];

/** What the world does to all calls of a program. */
export interface Weather {
  /** Fails calls now, for want of file descriptors. */
  tooManyOpenFiles: boolean;
  /** The watcher loses what happens. */
  deaf: boolean;
  /** The account that the program runs as sees the files of all. */
  seesEveryWriter: boolean;
}

/** Called before each call of the program is done; what it throws, the call throws. */
export type OnCall = (call: string, path: string) => void;

interface Machine {
  readonly life: Life;
  readonly tree: Tree;
  readonly weather: Weather;
  readonly uid: number;
  readonly onCall: OnCall;
  /** Locks by path, held by lives. */
  readonly locks: Map<string, Life>;
}

export function simulatedSystem(machine: Machine): System {
  const { life } = machine;
  const files = simulatedFiles(machine);
  const nobody = (what: string) => () => Promise.reject(new TypeError(`${what}: nobody answers`));
  return {
    ...life,
    ...files,
    ...watching(machine),
    run: ({ program }) => Promise.reject(missing(program)),
    spawn: ({ program }) => Promise.reject(missing(program)),
    which: () => Promise.resolve(null),
    platform: "linux",
    pid: 4711,
    hostname: "camera",
    uid: machine.uid,
    home: "/home/observer",
    separator: "/",
    executable: "/usr/bin/image-transfer",
    compiled: true,
    usage: () => ({ rssBytes: 60e6, cpuSeconds: life.world.passed() / 1e5 }),
    env: () => undefined,
    secretEnv: () => undefined,
    embedded: nobody("embedded"),
    runtimeFolder: () => Promise.resolve("/run/image-transfer"),
    crash: () => {
      throw new Error("crash points are not used here");
    },
    lock: (path) => lock(machine, path),
    listen: nobody("listen"),
    askLocal: nobody("askLocal"),
    askRemote: nobody("askRemote"),
    hearRemote: nobody("hearRemote"),
    certifies: () => false,
    upgradeWebSocket: () => {
      throw new TypeError("no sockets here");
    },
    isTerminal: () => false,
    columns: () => null,
    print: () => true,
    readLine: () => Promise.resolve(null),
    lend: nobody("lend"),
    onSignal: () => () => {},
    giveUp: () => {},
    gaveUp: () => false,
    notifyServiceManager: () => Promise.resolve(false),
    exit: () => {
      throw new Error("exit is not used here");
    },
  };
}

function missing(program: string): Failure {
  return new Failure("tool_missing", `Cannot run ${program}: it is not installed`);
}

/** The calls of one program, each at a moment of its own. */
function caller({ life, tree, weather, uid, onCall }: Machine) {
  return <T>(name: string, path: string, act: () => T, delay: Delay = QUICK, lingers?: "lingers"): Promise<T> => {
    const device = tree.disks.get(path.split("/")[1]!);
    const powerCuts = device?.powerCuts;
    return life.answer(delay, () => {
      if (!life.alive && device?.powerCuts !== powerCuts) return NEVER;
      try {
        onCall(name, path);
        if (weather.tooManyOpenFiles && OPENS.has(name)) throw errnoError("EMFILE", name, path);
        [tree.uid, tree.byProgram] = [uid, true];
        const result = act();
        life.world.note(`${name} ${path}`);
        return result;
      } catch (error) {
        if (error instanceof Hanging) return new Waiting((again) => error.device.waiting.push(again));
        life.world.note(`${name} ${path}: ${error instanceof Error ? error.message : error}`);
        throw error;
      } finally {
        tree.byProgram = false;
      }
    }, lingers);
  };
}

const NEVER = new Waiting(() => {});

const OPENS: ReadonlySet<string> = new Set(["open", "readdir", "create", "fsync"]);

function factsOf(inode: Inode): PathFacts {
  const isFile = inode.kind === "file";
  return {
    kind: inode.kind === "fifo" ? "other" : inode.kind,
    size: isFile ? inode.data.length : 4096,
    mtimeMs: inode.mtimeMs,
    // Deno tells it in whole seconds.
    ctimeMs: Math.floor(inode.ctimeMs / 1000) * 1000,
    bornMs: inode.bornMs,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.uid,
    links: inode.links,
    identity: `${inode.device.number}:${inode.number}`,
    device: String(inode.device.number),
  };
}

function isExpected(facts: PathFacts, { identity, size = facts.size, mtimeMs = facts.mtimeMs }: Expected): boolean {
  return facts.kind === "file" && sameFingerprint(facts, { identity: identity || facts.identity, size, mtimeMs });
}

function orNull<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof Hanging) throw error;
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

export function simulatedFiles(machine: Machine): Files {
  const { life, tree } = machine;
  const call = caller(machine);

  const facts = (path: string, follow: boolean) =>
    call("stat", path, () => {
      const inode = orNull(() => tree.look(path, follow)) ?? null;
      if (inode !== null) tree.check(inode, "stat");
      return inode === null ? null : factsOf(inode);
    });
  const open = (from: ToRead) => {
    const path = pathToRead(from);
    return call("open", path, () => {
      const inode = tree.open(path, {});
      if (typeof from !== "string" && !isExpected(factsOf(inode), from)) {
        throw Object.assign(new Error(`"${path}" is not the file that was found there before`), { code: "ECHANGED" });
      }
      if (inode.kind !== "file") throw new Deno.errors.NotSupported(`"${path}" is not a regular file`);
      return inode;
    });
  };
  /** Reads from `offset` on in pieces; what was read of a piece stays, whatever is written meanwhile. */
  async function* pieces(inode: Inode, from: ToRead, offset: number, most: number, signal?: AbortSignal) {
    for (let at = offset; at < offset + most;) {
      signal?.throwIfAborted();
      const length = Math.min(PIECE_BYTES, offset + most - at);
      const piece = await call("read", pathToRead(from), () => tree.read(inode, at, length));
      if (piece.length === 0) return;
      yield piece;
      at += piece.length;
    }
  }
  const hashed = async (from: ToRead, signal: AbortSignal | undefined, use: (piece: Uint8Array) => void = () => {}) => {
    const inode = await open(from);
    const sum = createHash("sha256");
    let bytes = 0;
    for await (const piece of pieces(inode, from, 0, Infinity, signal)) {
      sum.update(piece);
      use(piece);
      bytes += piece.length;
    }
    return { bytes, sha256: sum.digest("hex") };
  };
  const sync = (path: string) => call("fsync", path, () => tree.sync(tree.need(path, true, "open")), FLUSH);

  async function readSource<T>(from: ToRead, use: (source: SourceReader) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const inode = await open(from);
    const sum = createHash("sha256");
    let at = 0;
    const { size, mode, mtimeMs } = factsOf(inode);
    return await use({
      bytes: size,
      mode,
      mtimeMs,
      async *read(length) {
        for await (const piece of pieces(inode, from, at, length, signal)) {
          sum.update(piece);
          at += piece.length;
          yield piece;
        }
      },
      sha256: () => sum.copy().digest("hex"),
    });
  }

  async function copy(from: ToRead, to: string, options: CopyOptions, signal: AbortSignal): Promise<Digest> {
    signal.throwIfAborted();
    const start = options.from ?? 0;
    const source = await open(from);
    const target = await call("create", to, () => {
      if (start === 0) return tree.open(to, { write: true, createNew: true });
      const inode = tree.open(to, { write: true });
      if (inode.data.length < start) throw new Deno.errors.InvalidData(`Cannot continue the copy "${to}"`);
      tree.truncate(inode, start);
      return inode;
    });
    const sum = createHash("sha256");
    let bytes = 0;
    for await (const piece of pieces(source, from, 0, start, signal)) {
      sum.update(piece);
      bytes += piece.length;
    }
    if (bytes < start) throw new Deno.errors.InvalidData(`Cannot continue the copy "${to}" at byte ${start}`);
    for await (const piece of pieces(source, from, start, (options.most ?? Infinity) - start, signal)) {
      await options.pace?.next(piece.length, signal);
      const at = bytes;
      await call("write", to, () => tree.write(target, at, piece), QUICK, "lingers");
      sum.update(piece);
      bytes += piece.length;
      options.onBytes?.(piece.length);
    }
    if (options.flush ?? true) await call("fsync", to, () => tree.sync(target), FLUSH);
    return { bytes, sha256: sum.digest("hex") };
  }

  const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  const remove = (path: string) =>
    call("unlink", path, () => {
      orNull(() => tree.unlink(path));
    });
  async function removeTree(path: string): Promise<void> {
    const found = await facts(path, false);
    if (found === null) return;
    if (found.kind === "folder") {
      for (const name of await call("readdir", path, () => orNull(() => tree.names(path)) ?? [])) {
        await removeTree(`${path}/${name}`);
      }
    }
    await remove(path);
  }
  const names = (folder: string) => call("readdir", folder, () => tree.names(folder));

  const files: Files = {
    checkDatabase: () => Promise.resolve([]),
    setBulkheads: () => {},
    facts: (path) => facts(path, false),
    followedFacts: (path) => facts(path, true),
    realPath: (path) => call("realpath", path, () => orNull(() => tree.realPath(path))),
    names,
    async list(folder) {
      const entries: { name: string; facts: PathFacts }[] = [];
      for (const name of await names(folder)) {
        const found = await facts(`${folder}/${name}`, false);
        if (found !== null) entries.push({ name, facts: found });
      }
      return { entries, unreadable: [] };
    },
    async *walk(root, options, signal) {
      signal.throwIfAborted();
      const disk = {
        entries: (folder: string) =>
          call("readdir", folder, () =>
            tree.names(folder).flatMap((name) => {
              const inode = tree.look(`${folder}/${name}`, false);
              return inode === undefined ? [] : [direntry(name, inode)];
            })),
        look: (path: string) => call("stat", path, () => infoOf(tree.need(path, false, "lstat"))),
        now: life.now,
      };
      for await (const batch of walkTree(root, options, disk)) {
        yield batch;
        signal.throwIfAborted();
      }
    },
    async read(path, offset, length) {
      const inode = await open(path);
      const found: Uint8Array[] = [];
      for await (const piece of pieces(inode, path, offset, length)) found.push(piece);
      return joined(found);
    },
    async hash(path, signal, onBytes) {
      let done = 0;
      const { bytes, sha256 } = await hashed(path, signal, (piece) => onBytes?.(done += piece.length));
      return { bytes, sha256 };
    },
    readSmall: (path, _into, signal) =>
      readSource(path, async (source) => {
        const found = await Array.fromAsync(source.read(source.bytes + 1));
        const content = joined(found);
        return content.length > source.bytes ? null : { content, mode: source.mode, sha256: source.sha256() };
      }, signal),
    readSource,
    copy,
    async hashWithChunks(path, chunkBytes, signal) {
      const found: Uint8Array[] = [];
      const { bytes, sha256 } = await hashed(path, signal, (piece) => void found.push(piece));
      const whole = joined(found);
      const chunks: string[] = [];
      for (let at = 0; at < whole.length; at += chunkBytes) chunks.push(digestOf(whole.subarray(at, at + chunkBytes)));
      return { bytes, sha256, chunks };
    },
    async writeInto(path, offset, content, signal) {
      const inode = await call("open", path, () => tree.open(path, { write: true }));
      let at = offset;
      for await (const piece of content) {
        signal.throwIfAborted();
        await call("write", path, () => tree.write(inode, at, piece), QUICK, "lingers");
        at += piece.length;
      }
    },
    bulkFiles: () => bulkFiles(machine, files),
    sync,
    async createFile(path) {
      const inode = await call("create", path, () => {
        const made = tree.open(path, { write: true, createNew: true });
        tree.beginWriting(made);
        return made;
      });
      return {
        write: (bytes) => call("write", path, () => tree.write(inode, inode.data.length, bytes)),
        [Symbol.asyncDispose]: () => call("close", path, () => tree.endWriting(inode)),
      };
    },
    rename: (from, to) => call("rename", to, () => tree.rename(from, to), QUICK, "lingers"),
    link: (from, to) => call("link", to, () => tree.link(from, to), QUICK, "lingers"),
    async lockFolder(path, signal) {
      for (;;) {
        const held = await lock(machine, `${path}/.`);
        if (held !== null) return held;
        await life.sleep(5, signal);
        signal.throwIfAborted();
      }
    },
    symlink: (target, path) => call("symlink", path, () => tree.symlink(target, path)),
    remove,
    removeTree,
    makeFolder: (path, mode) =>
      call("mkdir", path, () => {
        const parts = path.split("/").filter((part) => part !== "");
        for (let count = 1; count <= parts.length; count++) {
          const folder = `/${parts.slice(0, count).join("/")}`;
          const found = tree.look(folder, true);
          if (found === undefined) tree.mkdir(folder, mode);
          else if (found.kind !== "folder") throw errnoError(count === parts.length ? "EEXIST" : "ENOTDIR", "mkdir", path);
        }
      }),
    makeInside: (path, mode) =>
      call("mkdir", path, () => {
        try {
          tree.mkdir(path, mode);
          return true;
        } catch (error) {
          if (error instanceof Deno.errors.AlreadyExists) return false;
          throw error;
        }
      }),
    setTimes: (path, mtimeMs) => call("utime", path, () => tree.setTimes(tree.need(path, true, "utime"), mtimeMs)),
    setMode: (path, mode) => call("chmod", path, () => tree.setMode(tree.need(path, true, "chmod"), mode)),
    readText: async (path) => new TextDecoder().decode(await files.read(path, 0, Infinity)),
    async writeText(path, text, mode) {
      const temporary = `${path.slice(0, path.lastIndexOf("/"))}/.image-transfer-${life.random().toString(36).slice(2)}`;
      const inode = await call(
        "create",
        temporary,
        () => tree.open(temporary, { write: true, createNew: true, ...(mode === undefined ? {} : { mode }) }),
      );
      try {
        await call("write", temporary, () => tree.write(inode, 0, new TextEncoder().encode(text)));
        await call("fsync", temporary, () => tree.sync(inode), FLUSH);
        await files.rename(temporary, path);
        await sync(path.slice(0, path.lastIndexOf("/")));
      } catch (error) {
        await remove(temporary).catch(() => undefined);
        throw error;
      }
    },
    space: (path) =>
      call("statfs", path, () => {
        const { device } = tree.need(path, true, "statfs");
        return { freeBytes: tree.free(device), device: String(device.number) };
      }),
  };
  return files;
}

async function inTurn<T, R>(list: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of list) results.push(await act(item));
  return results;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function direntry(name: string, { kind }: Inode): Deno.DirEntry {
  return { name, isFile: kind === "file", isDirectory: kind === "folder", isSymlink: kind === "symlink" };
}

function infoOf(inode: Inode): Deno.FileInfo {
  const { size, mtimeMs, ctimeMs, bornMs, mode, links } = factsOf(inode);
  const [isFile, isDirectory, isSymlink] = [inode.kind === "file", inode.kind === "folder", inode.kind === "symlink"];
  return {
    isFile,
    isDirectory,
    isSymlink,
    size,
    mtime: new Date(mtimeMs),
    atime: new Date(mtimeMs),
    birthtime: new Date(bornMs),
    ctime: new Date(ctimeMs),
    dev: inode.device.number,
    ino: inode.number,
    mode,
    nlink: links,
    uid: inode.uid,
    gid: inode.uid,
    rdev: 0,
    blksize: 4096,
    blocks: Math.ceil(size / 512),
    isBlockDevice: false,
    isCharDevice: false,
    isFifo: inode.kind === "fifo",
    isSocket: false,
  };
}

/** As the Worker does it: one file after the other, and nothing is left of one that failed. */
function bulkFiles({ life }: Machine, files: Files): BulkFiles {
  const orNull = <T>(work: Promise<T>): Promise<T | null> => work.catch(() => null);
  return {
    copy: (copies, onFile, signal) =>
      inTurn([...copies.entries()], async ([index, { from, to, mtimeMs, withMode, most, also }]) => {
        signal.throwIfAborted();
        if (life.random() < 0.3) return null; // Of few files it does nothing.
        const hash = also && createHash(also);
        const done = await orNull((async () => {
          const mode = withMode ? (await files.followedFacts(pathToRead(from)))?.mode : undefined;
          const digest = await files.copy(from, to, { most, flush: false }, signal);
          if (hash) hash.update(await files.read(to, 0, Infinity));
          if (mode !== undefined) await files.setMode(to, mode & 0o777);
          if (mtimeMs !== null) await files.setTimes(to, mtimeMs);
          return hash ? { ...digest, also: hash.digest("hex") } : digest;
        })());
        if (done === null) await orNull(files.remove(to));
        else onFile(index, done.bytes);
        return done;
      }),
    hash: (paths, signal) => inTurn(paths, (path) => orNull(files.hash(path, signal))),
    name: (names, signal) =>
      inTurn(names, async ({ file, name, mode }) => {
        signal.throwIfAborted();
        const done = await orNull((async () => {
          if (mode !== null) await files.setMode(file, mode);
          try {
            await files.sync(file);
          } catch (error) {
            await files.remove(file);
            throw error;
          }
          await files.link(file, name);
          await files.remove(file);
          return true;
        })());
        return done ?? false;
      }),
    [Symbol.dispose]: () => {},
  };
}

function lock({ life, locks, tree, onCall }: Machine, path: string): Promise<Lock | null> {
  return life.answer(QUICK, () => {
    onCall("lock", path);
    if (!path.endsWith("/.")) {
      if (tree.look(path, true) === undefined) tree.open(path, { write: true, createNew: true });
    } else tree.need(path, true, "open");
    if (locks.get(path)?.alive) return null;
    locks.set(path, life);
    const file = path.endsWith("/.") ? undefined : tree.look(path, true);
    return {
      isInPlace: () => life.answer(QUICK, () => file === undefined || orNull(() => tree.look(path, true)) === file),
      [Symbol.asyncDispose]: () => Promise.resolve(void locks.delete(path)),
    };
  });
}

function watching(
  { life, tree, weather, uid }: Machine,
): Pick<System, "watch" | "openForWriting" | "seesEveryWriter" | "guardMainThread"> {
  const { world } = life;
  const delayed = ([from, to]: Delay, act: () => void) => world.after(world.chance.int(from * 100, to * 100) / 100, act);

  async function* watch(root: string, recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const watched = await life.answer(QUICK, () => tree.need(root, true, "watch"));
    if (watched.kind !== "folder") throw new Deno.errors.NotFound(`Cannot watch "${root}": it does not exist or is not a folder`);
    const hints = queue<WatchEvent>();
    const knownFrom = new Map<string, number>();
    const put = (hint: WatchEvent) => {
      if (!life.alive || signal.aborted) return;
      if (hints.length >= 50) hints.clear(), hints.push({ kind: "other", paths: [] });
      hints.push(hint);
    };
    const hearer = (change: Change) => {
      if (!isHeard(change)) return;
      const { kind, path, inode } = change;
      if (kind === "create" && inode.kind === "folder") {
        knownFrom.set(path, world.passed() + world.chance.int(0, FOLDER_FOUND[1]));
      }
      if (world.chance.chance(0.02)) return; // Folded together with another one.
      delayed(HINT, () => put({ kind, paths: [path] }));
      if (world.chance.chance(0.05)) delayed(HINT, () => put({ kind, paths: [path] }));
    };
    const isHeard = ({ path }: Change) => {
      if (weather.deaf || !path.startsWith(`${root}/`)) return false;
      const rest = path.slice(root.length + 1).split("/");
      if (!recursive && rest.length > 1) return false;
      // Another folder may have taken the place of the one that is watched.
      if (!isStill()) return false;
      return rest.slice(0, -1).every((_, index) =>
        (knownFrom.get(`${root}/${rest.slice(0, index + 1).join("/")}`) ?? 0) <= world.passed()
      );
    };
    const isStill = () => {
      try {
        return tree.look(root, true) === watched;
      } catch {
        return false;
      }
    };
    tree.hearers.push(hearer);
    const end = () => hints.end();
    signal.addEventListener("abort", end, { once: true });
    put({ kind: "other", paths: [] });
    try {
      yield* hints;
    } finally {
      tree.hearers.splice(tree.hearers.indexOf(hearer), 1);
      signal.removeEventListener("abort", end);
    }
  }

  const lookOrWait = (path: string) => {
    try {
      return tree.look(path, true);
    } catch (error) {
      if (error instanceof Hanging) return new Waiting((again) => error.device.waiting.push(again));
      throw error;
    }
  };

  return {
    watch,
    async openForWriting(paths) {
      const open = new Set<string>();
      // A look at all processes takes its time: not all files are looked for at one moment.
      const half = Math.ceil(paths.length / 2);
      for (const some of [paths.slice(0, half), paths.slice(half)]) {
        if (some.length === 0) continue;
        await life.answer(LOOK_AT_WRITERS, () => {
          for (const path of some) {
            const inode = orNull(() => lookOrWait(path));
            if (inode instanceof Waiting) return inode;
            if (inode && inode.writers > 0 && (weather.seesEveryWriter || inode.uid === uid)) open.add(path);
          }
        });
      }
      return open;
    },
    seesEveryWriter: () => Promise.resolve(weather.seesEveryWriter),
    guardMainThread: () => {},
  };
}
