/**
 * The disks of the simulated world as a Linux kernel shows them: inodes with names, disks mounted on folders, times by the rules of real
 * systems, and what a power cut leaves of what was not flushed. Every call here happens at once and whole, as a system call does;
 * `files.ts` makes the program's calls of them.
 */
import type { Dice } from "../support/seeded.ts";
import type { World } from "./world.ts";

/** What a disk does with those that use it. */
export type Health = "well" | "full" | "read only" | "failing" | "hanging";

/** A name was given or taken in a folder; a rename is two of one group. Not yet on the disk for sure. */
interface NameChange {
  readonly folder: Inode;
  readonly name: string;
  readonly was: Inode | undefined;
  readonly now: Inode | undefined;
  readonly group: number;
}

export class Device {
  health: Health = "well";
  readonly root: Inode;
  used = 0;
  /** Who waits until it answers again. */
  waiting: (() => void)[] = [];
  changes: NameChange[] = [];
  /** How often its power was cut: what a program that ended with it was doing never comes to its end. */
  powerCuts = 0;
  /** Times are told in units of this many milliseconds: the kernel's ticks, seconds of HFS+ and ext3, two seconds of FAT. */
  tickMs = 4;
  constructor(readonly number: number, readonly name: string, readonly capacity: number, atMs: number) {
    this.root = new Inode(this, "folder", 0o755, 0, atMs);
    this.root.links = 2;
  }
  tick(ms: number): number {
    return Math.floor(ms / this.tickMs) * this.tickMs;
  }
  set(health: Health): void {
    this.health = health;
    if (health !== "hanging") { for (const again of this.waiting.splice(0)) again(); }
  }
}

const NOTHING = new Uint8Array();

export class Inode {
  static count = 0;
  readonly number = ++Inode.count;
  data: Uint8Array = NOTHING;
  /** The content that is on the disk for sure. */
  flushed: Uint8Array = NOTHING;
  readonly entries = new Map<string, Inode>();
  target = "";
  links = 0;
  writers = 0;
  /** Of a folder: where it is. Of a file: one of its names. */
  parent: Inode | null = null;
  name = "";
  mounted: Device | null = null;
  mtimeMs: number;
  ctimeMs: number;
  readonly bornMs: number;
  constructor(
    readonly device: Device,
    readonly kind: "file" | "folder" | "symlink" | "fifo",
    public mode: number,
    public uid: number,
    atMs: number,
  ) {
    this.mtimeMs = this.ctimeMs = this.bornMs = device.tick(atMs);
  }
}

export type Errno = keyof typeof ERRORS;

const ERRORS = {
  ENOENT: [Deno.errors.NotFound, 2, "No such file or directory"],
  EIO: [Error, 5, "Input/output error"],
  EACCES: [Deno.errors.PermissionDenied, 13, "Permission denied"],
  EEXIST: [Deno.errors.AlreadyExists, 17, "File exists"],
  EXDEV: [Error, 18, "Invalid cross-device link"],
  ENOTDIR: [Deno.errors.NotADirectory, 20, "Not a directory"],
  EISDIR: [Deno.errors.IsADirectory, 21, "Is a directory"],
  EMFILE: [Error, 24, "Too many open files"],
  ENOSPC: [Error, 28, "No space left on device"],
  EROFS: [Error, 30, "Read-only file system"],
  ENOTEMPTY: [Error, 39, "Directory not empty"],
  ELOOP: [Deno.errors.FilesystemLoop, 40, "Too many levels of symbolic links"],
  EINVAL: [Error, 22, "Invalid argument"],
} as const;

/** As Deno words it. */
export function errnoError(code: Errno, call: string, path: string): Error {
  const [Class, number, text] = ERRORS[code];
  return Object.assign(new Class(`${text} (os error ${number}): ${call} '${path}'`), { code });
}

/** What watchers and the judge hear of. */
export interface Change {
  readonly kind: "create" | "write" | "close" | "remove" | "rename" | "chmod";
  readonly path: string;
  readonly inode: Inode;
}

/** Thrown where the disk does not answer now. */
export class Hanging extends Error {
  constructor(readonly device: Device) {
    super(`${device.name} does not respond`);
  }
}

/** One tree of names over all disks of the world. */
export class Tree {
  readonly disks = new Map<string, Device>();
  readonly root: Device;
  readonly hearers: ((change: Change) => void)[] = [];
  /** Of the program that asks now. */
  uid = 0;
  /** True while it is the daemon that asks. */
  byProgram = false;
  #groups = 0;

  constructor(readonly world: World) {
    Inode.count = 0;
    this.root = this.disk("root", 1e9);
  }

  disk(name: string, capacity: number): Device {
    const device = new Device(this.disks.size + 1, name, capacity, this.world.now());
    this.disks.set(name, device);
    return device;
  }

  /** Mounts a disk on a folder that is there. */
  mount(device: Device, path: string): void {
    const on = this.#walk(path, true).inode!;
    on.mounted = device;
    device.root.parent = on.parent;
    device.root.name = on.name;
  }

  unmount(path: string): void {
    const { folder, name } = this.#walk(path, false);
    folder.entries.get(name)!.mounted = null;
  }

  /** What a path leads to; undefined where nothing is. */
  look(path: string, follow: boolean): Inode | undefined {
    return this.#walk(path, follow).inode;
  }

  need(path: string, follow: boolean, call: string): Inode {
    const inode = this.#walk(path, follow, call).inode;
    if (inode === undefined) throw errnoError("ENOENT", call, path);
    return inode;
  }

  realPath(path: string): string {
    return this.pathOf(this.need(path, true, "realpath"));
  }

  /** The path of a folder, or one of those of a file. */
  pathOf(inode: Inode): string {
    const names: string[] = [];
    for (let at = inode; at.parent !== null; at = at.parent) names.unshift(at.name);
    return `/${names.join("/")}`;
  }

  names(path: string): string[] {
    const folder = this.need(path, true, "readdir");
    this.#answers(folder.device, "readdir", path, "read");
    if (folder.kind !== "folder") throw errnoError("ENOTDIR", "readdir", path);
    return [...folder.entries.keys()];
  }

  /** Opens a file. What it gives is the file itself, whatever becomes of its name. */
  open(path: string, how: { readonly write?: boolean; readonly createNew?: boolean; readonly mode?: number }): Inode {
    const { folder, name, inode } = this.#walk(path, !how.createNew, "open");
    if (inode === undefined) {
      if (!how.createNew) throw errnoError("ENOENT", "open", path);
      return this.#make(
        folder,
        name,
        new Inode(folder.device, "file", how.mode ?? 0o644, this.uid, this.world.now()),
        "open",
        path,
      );
    }
    if (how.createNew) throw errnoError("EEXIST", "open", path);
    this.#answers(inode.device, "open", path, how.write ? "write" : "read");
    if (inode.kind === "folder" && how.write) throw errnoError("EISDIR", "open", path);
    if (this.uid !== 0 && inode.uid !== this.uid && (inode.mode & (how.write ? 0o002 : 0o004)) === 0) {
      throw errnoError("EACCES", "open", path);
    }
    return inode;
  }

  read(inode: Inode, offset: number, length: number): Uint8Array {
    this.#answers(inode.device, "read", inode.name, "read");
    return inode.data.subarray(offset, offset + length);
  }

  /** One write call, or its beginning: it sets the times, and the bytes follow with `land`. */
  write(inode: Inode, offset: number, bytes: Uint8Array): void {
    this.touch(inode);
    this.land(inode, offset, bytes);
    this.#tell("write", inode);
  }

  /** Sets the times as the beginning of a write does. */
  touch(inode: Inode): void {
    this.#answers(inode.device, "write", inode.name, "write");
    inode.mtimeMs = inode.ctimeMs = inode.device.tick(this.world.now());
  }

  /** Puts bytes in place without a change of times: the middle of a long write. */
  land(inode: Inode, offset: number, bytes: Uint8Array): void {
    const length = Math.max(inode.data.length, offset + bytes.length);
    this.#take(inode.device, length - inode.data.length, "write", inode.name);
    const data = new Uint8Array(length);
    data.set(inode.data);
    data.set(bytes, offset);
    inode.data = data;
  }

  truncate(inode: Inode, length: number): void {
    this.touch(inode);
    this.#take(inode.device, length - inode.data.length, "ftruncate", inode.name);
    const data = new Uint8Array(length);
    data.set(inode.data.subarray(0, length));
    inode.data = data;
    this.#tell("write", inode);
  }

  beginWriting(inode: Inode): void {
    inode.writers += 1;
  }

  endWriting(inode: Inode): void {
    inode.writers -= 1;
    this.#tell("close", inode);
  }

  /** fsync(2): of a file its content, of a folder the names in it. */
  sync(inode: Inode): void {
    this.#answers(inode.device, "fsync", inode.name, "sync");
    inode.flushed = inode.data;
    if (inode.kind === "folder") inode.device.changes = inode.device.changes.filter(({ folder }) => folder !== inode);
  }

  link(from: string, to: string): void {
    const inode = this.need(from, false, "link");
    const { folder, name, inode: taken } = this.#walk(to, false, "link");
    if (taken !== undefined) throw errnoError("EEXIST", "link", to);
    if (folder.device !== inode.device) throw errnoError("EXDEV", "link", to);
    inode.ctimeMs = inode.device.tick(this.world.now());
    this.#make(folder, name, inode, "link", to);
  }

  symlink(target: string, path: string): void {
    const { folder, name, inode } = this.#walk(path, false, "symlink");
    if (inode !== undefined) throw errnoError("EEXIST", "symlink", path);
    const made = new Inode(folder.device, "symlink", 0o777, this.uid, this.world.now());
    made.target = target;
    this.#make(folder, name, made, "symlink", path);
  }

  mkdir(path: string, mode = 0o755): void {
    const { folder, name, inode } = this.#walk(path, false, "mkdir");
    if (inode !== undefined) throw errnoError("EEXIST", "mkdir", path);
    this.#make(folder, name, new Inode(folder.device, "folder", mode, this.uid, this.world.now()), "mkdir", path);
  }

  rename(from: string, to: string): void {
    const source = this.#walk(from, false, "rename");
    const target = this.#walk(to, false, "rename");
    const inode = source.inode;
    if (inode === undefined) throw errnoError("ENOENT", "rename", from);
    if (source.folder.device !== target.folder.device) throw errnoError("EXDEV", "rename", to);
    this.#answers(inode.device, "rename", from, "write");
    if (target.inode === inode) return;
    if (target.inode?.kind === "folder") {
      if (inode.kind !== "folder") throw errnoError("EISDIR", "rename", to);
      if (target.inode.entries.size > 0) throw errnoError("ENOTEMPTY", "rename", to);
    } else if (target.inode !== undefined && inode.kind === "folder") throw errnoError("ENOTDIR", "rename", to);
    const group = ++this.#groups;
    this.#setName(target.folder, target.name, inode, group);
    this.#setName(source.folder, source.name, undefined, group);
    inode.ctimeMs = inode.device.tick(this.world.now());
    [inode.parent, inode.name] = [target.folder, target.name];
    this.hear({ kind: "rename", path: from, inode });
    this.hear({ kind: "rename", path: to, inode });
  }

  /** Two names are exchanged (renameat2 with RENAME_EXCHANGE). */
  exchange(one: string, other: string): void {
    const [a, b] = [this.#walk(one, false, "rename"), this.#walk(other, false, "rename")];
    const group = ++this.#groups;
    this.#setName(a.folder, a.name, b.inode, group);
    this.#setName(b.folder, b.name, a.inode, group);
    [a.inode!.parent, a.inode!.name, b.inode!.parent, b.inode!.name] = [b.folder, b.name, a.folder, a.name];
    for (const [path, inode] of [[one, b.inode!], [other, a.inode!]] as const) this.hear({ kind: "rename", path, inode });
  }

  unlink(path: string): void {
    const { folder, name, inode } = this.#walk(path, false, "unlink");
    if (inode === undefined) throw errnoError("ENOENT", "unlink", path);
    this.#answers(folder.device, "unlink", path, "write");
    if (inode.kind === "folder" && inode.entries.size > 0) throw errnoError("ENOTEMPTY", "unlink", path);
    inode.ctimeMs = inode.device.tick(this.world.now());
    this.#setName(folder, name, undefined, ++this.#groups);
    this.hear({ kind: "remove", path, inode });
  }

  setTimes(inode: Inode, mtimeMs: number): void {
    this.#answers(inode.device, "utime", inode.name, "write");
    inode.mtimeMs = mtimeMs;
    inode.ctimeMs = inode.device.tick(this.world.now());
    this.#tell("chmod", inode);
  }

  setMode(inode: Inode, mode: number): void {
    this.#answers(inode.device, "chmod", inode.name, "write");
    inode.mode = mode;
    inode.ctimeMs = inode.device.tick(this.world.now());
    this.#tell("chmod", inode);
  }

  free(device: Device): number {
    return device.health === "full" ? 0 : Math.max(0, device.capacity - device.used);
  }

  /** A call about a disk that does not answer waits; one about a failing disk fails. */
  check(inode: Inode, call: string): void {
    this.#answers(inode.device, call, inode.name, "read");
  }

  /** The power of a disk is cut: what was not flushed is kept, lost or torn, each name and each file for itself. */
  cutPower(device: Device, chance: Dice): void {
    const groups = Map.groupBy(device.changes, ({ group }) => group);
    for (const { folder, name, was } of device.changes.toReversed()) setEntry(folder, name, was);
    for (const changes of groups.values()) {
      if (chance.chance(0.5)) { for (const { folder, name, now } of changes) setEntry(folder, name, now); }
    }
    device.changes = [];
    device.powerCuts += 1;
    for (const inode of this.#files(device.root)) {
      inode.writers = 0;
      if (inode.data === inode.flushed) continue;
      inode.data = afterCut(inode, chance);
      inode.flushed = inode.data;
    }
    device.used = [...this.#files(device.root)].reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Every file of a disk with one of its paths, whatever the disk is like now. */
  *filesOn(disk: string, folder = this.disks.get(disk)!.root, path = `/${disk}`): Generator<{ path: string; inode: Inode }> {
    for (const [name, inode] of folder.entries) {
      const at = `${path}/${name}`;
      if (inode.kind === "folder") yield* this.filesOn(disk, inode, at);
      else yield { path: at, inode };
    }
  }

  *#files(folder: Inode): Generator<Inode> {
    for (const inode of folder.entries.values()) {
      if (inode.kind === "folder") yield* this.#files(inode);
      else yield inode;
    }
  }

  hear(change: Change): void {
    for (const hearer of this.hearers) hearer(change);
  }

  #tell(kind: Change["kind"], inode: Inode): void {
    if (inode.parent !== null && inode.links > 0) this.hear({ kind, path: this.pathOf(inode), inode });
  }

  #make(folder: Inode, name: string, inode: Inode, call: string, path: string): Inode {
    this.#answers(folder.device, call, path, "write");
    this.#take(folder.device, 0, call, path);
    this.#setName(folder, name, inode, ++this.#groups);
    if (inode.parent === null || inode.kind === "folder" || inode.links === 1) [inode.parent, inode.name] = [folder, name];
    this.hear({ kind: "create", path, inode });
    return inode;
  }

  #setName(folder: Inode, name: string, now: Inode | undefined, group: number): void {
    const was = folder.entries.get(name);
    folder.device.changes.push({ folder, name, was, now, group });
    folder.mtimeMs = folder.ctimeMs = folder.device.tick(this.world.now());
    setEntry(folder, name, now);
    if (was !== undefined && was.links === 0 && was.kind === "file") was.device.used -= was.data.length;
  }

  #take(device: Device, bytes: number, call: string, path: string): void {
    if (bytes >= 0 && (device.health === "full" || device.used + bytes > device.capacity)) throw errnoError("ENOSPC", call, path);
    device.used += bytes;
  }

  #answers(device: Device, call: string, path: string, access: "read" | "write" | "sync"): void {
    if (device.health === "hanging") throw new Hanging(device);
    if (device.health === "failing") throw errnoError("EIO", call, path);
    if (device.health === "read only" && access === "write") throw errnoError("EROFS", call, path);
  }

  /** The last folder on the way, the last name, and what has that name. */
  #walk(path: string, follow: boolean, call = "stat", links = 0): { folder: Inode; name: string; inode: Inode | undefined } {
    if (links > 40) throw errnoError("ELOOP", call, path);
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    let folder = this.root.root;
    if (names.length === 0) return { folder, name: "", inode: folder };
    for (const [index, name] of names.entries()) {
      const isLast = index === names.length - 1;
      if (folder.kind !== "folder") throw errnoError("ENOTDIR", call, path);
      if (folder.device.health === "hanging") throw new Hanging(folder.device);
      if (folder.device.health === "failing") throw errnoError("EIO", call, path);
      let inode = name === ".." ? folder.parent ?? folder : folder.entries.get(name);
      if (inode?.kind === "symlink" && (!isLast || follow)) {
        const base = inode.target.startsWith("/") ? inode.target : `${this.pathOf(folder)}/${inode.target}`;
        const rest = names.slice(index + 1).join("/");
        return this.#walk(rest === "" ? base : `${base}/${rest}`, follow, call, links + 1);
      }
      if (inode?.mounted) inode = inode.mounted.root;
      if (isLast) return { folder, name, inode };
      if (inode === undefined) throw errnoError("ENOENT", call, path);
      folder = inode;
    }
    throw errnoError("ENOENT", call, path);
  }
}

function setEntry(folder: Inode, name: string, inode: Inode | undefined): void {
  const was = folder.entries.get(name);
  if (was !== undefined) was.links -= 1;
  if (inode === undefined) folder.entries.delete(name);
  else {
    folder.entries.set(name, inode);
    inode.links += 1;
  }
}

function afterCut({ data, flushed }: Inode, chance: Dice): Uint8Array {
  const fate = chance.pick(["kept", "lost", "torn"] as const);
  if (fate === "kept") return data;
  // The length is written after the data: no file system of today shows zeros where nothing was written.
  return fate === "lost" ? flushed : data.slice(0, chance.int(0, data.length));
}
