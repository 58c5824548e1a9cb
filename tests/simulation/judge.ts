/**
 * Holds a night against the promises. It knows the histories of the disks, what cameras wrote, and what the program said; nothing of
 * how the program works.
 */
import { createHash } from "node:crypto";
import { Failure } from "../../src/domain/failure.ts";
import type { StatusReport } from "../../src/reports/overview/status_json.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import type { Witness } from "./camera.ts";
import type { Change, Device, Inode, Tree } from "./disk.ts";
import { MINUTE, type NightOptions } from "./scenario.ts";
import { isTheirs } from "./strangers.ts";
import type { World } from "./world.ts";

/** Where the images of a camera go: the base path of a destination, and the folder that is watched. */
export interface Route {
  readonly destination: string;
  readonly base: string;
  readonly source: string;
}

/** How long something may be wrong before the program must say so, and how long it may be said after it has passed. */
const SAID_WITHIN_MS = 15 * MINUTE;

/** A peer that does not answer is given 300 s to do so. */
const NOTICED_WITHIN_MS = 6 * MINUTE;

interface Owed {
  readonly sha: string;
  readonly since: number;
}

interface Delivered {
  readonly target: string;
  readonly route: Route;
  readonly sha: string;
  readonly device: Device;
}

export class Judge implements Witness {
  readonly offences: string[] = [];
  /** Disks that were unmounted or exchanged. */
  readonly wereAway = new Set<string>();
  powerCuts = 0;
  /** Every content that a source was complete with. */
  readonly #complete = new Map<string, Set<string>>();
  /** The newest of those that are there. */
  readonly newest = new Map<string, Owed>();
  /** What is not at its destination yet: `destination source`. */
  readonly owed = new Map<string, Owed>();
  readonly #delivered: Delivered[] = [];
  /** The sources of deliveries that were said to have failed. */
  readonly #failed = new Map<number, string>();
  readonly #hashes = new WeakMap<Uint8Array, string>();
  #falselyWellSince: number | null = null;

  /** What each name at a destination shows, as far as it was seen since the last power cut. */
  readonly #shown = new Map<string, string>();
  readonly isMirror: boolean;
  /** When a person removed a copy. */
  readonly #removedByHand = new Map<string, number>();
  /** Files of another account at destinations. */
  readonly #theirs: { readonly path: string; readonly inode: Inode }[] = [];

  constructor(
    readonly world: World,
    readonly tree: Tree,
    readonly routes: readonly Route[],
    readonly options: Pick<NightOptions, "mirror" | "onConflict">,
  ) {
    this.isMirror = options.mirror;
    tree.hearers.push((change) => this.#see(change));
  }

  accuse(what: string): void {
    if (this.offences.includes(what)) return;
    this.world.tell(`OFFENCE ${what}`);
    this.offences.push(what);
  }

  complete(path: string, bytes: Uint8Array): void {
    const sha = this.#sha(bytes);
    this.#versions(path).add(sha);
    // On another disk, or below the missing one, it is not what is promised.
    const there = this.#onDisk(path);
    if (there === undefined || this.#sha(there.data) !== sha) return;
    const owed = { sha, since: this.world.passed() };
    this.newest.set(path, owed);
    for (const route of this.#routesOf(path)) this.owed.set(`${route.destination} ${path}`, owed);
  }

  gone(path: string): void {
    this.newest.delete(path);
    for (const route of this.#routesOf(path)) this.owed.delete(`${route.destination} ${path}`);
  }

  /** After a power cut a camera's disk has what it has: whatever is there now counts as it is. */
  powerCut(): void {
    this.powerCuts += 1;
    this.acceptSources();
  }

  /** Whatever is there now counts as it is. */
  acceptSources(): void {
    for (const path of [...this.newest.keys()]) if (this.#onDisk(path) === undefined) this.gone(path);
    for (const { path, inode } of this.tree.filesOn("cam")) {
      const sha = this.#sha(inode.data);
      this.#versions(path).add(sha);
      if (this.newest.get(path)?.sha !== sha) this.gone(path);
    }
  }

  /** What the program says happened. */
  hear(event: TransferEvent): void {
    if (event.type === "notice" && event.error instanceof Error && !(event.error instanceof Failure)) {
      this.accuse(`internal: ${event.message} ${event.error.stack}`);
    }
    if (event.type === "failed") this.#failed.set(event.delivery.id, event.delivery.source.absolutePath);
    if (event.type !== "delivered" || event.delivery.state.state !== "delivered") return;
    const { delivery } = event;
    const { absolutePath } = delivery.source;
    const route = this.routes.find(({ destination, source }) =>
      destination === delivery.destination && absolutePath.startsWith(`${source}/`)
    );
    if (route === undefined) return this.accuse(`delivered to an unknown place: ${absolutePath} to ${delivery.destination}`);
    const target = `${route.base}/${delivery.target}`;
    const inode = this.#look(target);
    const { sha256: sha } = event.delivery.state.receipt;
    if (sha !== null) {
      this.#delivered.push({
        target,
        route,
        sha,
        device: inode?.device ?? this.#look(route.base)?.device ?? this.tree.root,
      });
    }
  }

  /** I2: what was recorded as delivered to this disk is on it after a power cut. */
  afterPowerCut(device: Device): void {
    this.#shown.clear();
    const last = new Map(this.#delivered.map((each) => [each.target, each]));
    for (const each of this.#delivered) {
      const { target, route, sha, device: on } = each;
      if (this.#removedByHand.has(target) || on !== device || (!this.#keepsFormer && last.get(target) !== each)) continue;
      const versions = this.#versionsAt(target);
      if (versions.has(sha) || this.#isRemoved(target, route)) continue;
      if (this.#keepsFormer || !this.#isSuperseded(target, route, sha)) {
        this.accuse(`I2: ${target} was delivered with ${sha.slice(0, 8)}, and is not on ${device.name} after the power cut`);
      }
    }
  }

  /** Each minute: what the program says against what is so. */
  minute(status: StatusReport, isSlow: boolean): void {
    // Over a slow line everything takes its time, and nothing is wrong.
    if (isSlow) return;
    const late = [...this.owed].find(([key, { sha, since }]) => {
      // Nobody can tell of what another account has put out of sight.
      const source = this.#look(key.slice(key.indexOf(" ") + 1));
      return this.world.passed() - since > SAID_WITHIN_MS && source?.kind === "file" && this.#sha(source.data) === sha;
    });
    if (!status.all_well || late === undefined) return void (this.#falselyWellSince = null);
    this.#falselyWellSince ??= this.world.passed();
    if (this.world.passed() - this.#falselyWellSince > NOTICED_WITHIN_MS) {
      this.accuse(
        `truth: "${status.headline.text}" while ${late[0]} has waited for ${minutes(this.world.passed() - late[1].since)}`,
      );
    }
  }

  /** A person has removed this file at a destination: it is not sent again, and its source stays. */
  removedByHand(path: string): void {
    this.#removedByHand.set(path, this.world.passed());
    for (const { destination, base, source } of this.routes) {
      if (path.startsWith(`${base}/`)) this.owed.delete(`${destination} ${source}${path.slice(base.length)}`);
    }
  }

  /** Another account has put a file at this path of a destination. */
  keepTheirs(path: string | null): void {
    const inode = path === null ? undefined : this.#look(path);
    if (path !== null && inode !== undefined) this.#theirs.push({ path, inode });
  }

  /**
   * What is in our temporary folders at local destinations; nothing, when all is delivered. Far away, a writer may go on after the sweep,
   * and what is swept while a disk is away stays until the next start.
   */
  leftovers(): string[] {
    const away = ["far", ...this.wereAway];
    return this.routes.filter(({ base }) => !away.includes(base.split("/")[1]!)).flatMap(({ base }) =>
      [...this.#onDisk(base)?.entries ?? []].filter(([name, { kind }]) =>
        kind === "folder" && name.startsWith(".image-transfer") && !name.endsWith("-trash")
      ).flatMap(([name, folder]) => [...this.tree.filesOn(base.split("/")[1]!, folder, `${base}/${name}`)])
        .filter(({ inode }) => !isTheirs(inode)).map(({ path }) => path)
    );
  }

  /** When everything has healed and is quiet. */
  end(status: StatusReport): void {
    for (const path of this.leftovers()) this.accuse(`I5: left behind while nothing is sent: ${path}`);
    for (const path of this.notMirrored(status)) this.accuse(`mirror: ${path} is still there, and its source is not`);
    for (const [key, { sha }] of this.owed) this.accuse(`I3: not delivered: ${key} ${sha.slice(0, 8)}`);
    if (!this.isSatisfied(status)) this.accuse(`truth: all is mended, and it still says "${status.headline.text}"`);
  }

  /**
   * Whether it says that all is well, or has nothing to say but of files that a writer, or a power cut, left half written, or that were on
   * a disk that is not there any more.
   */
  isSatisfied({ all_well, jobs, destinations, deliveries: { queued, sending, deferred, failed } }: StatusReport): boolean {
    if (all_well) return true;
    if (destinations.some(({ state }) => state !== "open") || !jobs.every(({ watching }) => watching)) return false;
    const torn = [...this.tree.filesOn("cam")].filter(({ path, inode }) => this.newest.get(path)?.sha !== this.#sha(inode.data));
    const theirs = torn.flatMap(({ path }) => this.#routesOf(path));
    const isTorn = new Set(torn.map(({ path }) => path));
    const lost = [...this.#failed.values()].filter((path) => this.#onDisk(path) === undefined || isTorn.has(path));
    return torn.length + lost.length > 0 && queued + sending + deferred <= theirs.length && failed <= lost.length;
  }

  /** In a mirror, what the program delivered and has not removed although its source is gone, and no brake holds it. */
  notMirrored({ destinations }: StatusReport): string[] {
    if (!this.isMirror) return [];
    return this.routes.flatMap(({ destination, base, source }) => {
      if (destinations.some(({ name, removals_held }) => name === destination && removals_held !== undefined)) return [];
      const disk = base.split("/")[1]!;
      const ours = new Set(this.#delivered.map(({ target }) => target));
      return [...this.tree.filesOn(disk)].map(({ path }) => path).filter((path) =>
        path.startsWith(`${base}/`) && ours.has(path) && this.#look(`${source}${path.slice(base.length)}`) === undefined
      );
    });
  }

  /** After a clean stop nothing of ours is left at any destination, and all that is another account's. */
  afterStop(): void {
    for (const { path, inode } of this.#theirs) {
      const isKept = this.#versionsAt(path).has(this.#sha(inode.data));
      if (!isKept && this.options.onConflict === "version") this.accuse(`another account's file is gone: ${path}`);
    }
    for (const { base } of this.routes) {
      for (const name of this.tree.look(base, true)?.entries.keys() ?? []) {
        const theirs = this.#theirs.some(({ path }) => path.startsWith(`${base}/${name}/`));
        if (name.startsWith(".image-transfer") && !name.endsWith("-trash") && !theirs) {
          this.accuse(`I5: left behind: ${base}/${name}`);
        }
      }
    }
  }

  #see({ kind, path, inode }: Change): void {
    // Whatever has the name of an image is kept under another one; `end` looks whether it is there.
    if (isTheirs(inode) && this.tree.byProgram && !this.#theirs.some((one) => one.inode === inode)) {
      this.accuse(`another account's file was changed: ${kind} ${path}`);
    }
    if (kind === "remove" && path.startsWith("/cam/") && this.newest.has(path)) this.#seeSourceGone(path);
    for (const route of this.routes) {
      if (!path.startsWith(`${route.base}/`)) continue;
      const name = path.slice(route.base.length + 1);
      if (name.startsWith(".image-transfer-") || name.startsWith(".image-transfer/")) return;
      const now = this.#look(path);
      if (kind !== "remove" && now === inode && inode.kind === "file") this.#checkVersion(route, name, inode);
      this.#checkFormer(route, path, now);
      this.#settle(route, name, now);
      return;
    }
  }

  #checkVersion(route: Route, name: string, inode: Inode): void {
    if (isTheirs(inode)) return;
    const sha = this.#sha(inode.data);
    const source = `${route.source}/${name}`;
    const former = `${route.source}/${name.replace(/\.v\d+(?=\.[^.]*$|$)/, "")}`;
    if (this.#complete.get(source)?.has(sha) || this.#complete.get(former)?.has(sha)) return;
    this.accuse(`I1: ${route.base}/${name} shows ${inode.data.length} bytes (${sha.slice(0, 8)}) that no complete version had`);
  }

  /** A mirror moves former versions to its trash. */
  get #keepsFormer(): boolean {
    return this.options.onConflict === "version" && !this.isMirror;
  }

  /** With `on_conflict: version`, what had a name is there under another one as soon as it has lost its own. */
  #checkFormer({ base }: Route, path: string, now: Inode | undefined): void {
    if (now?.kind !== "file" || now.device !== this.tree.disks.get(base.split("/")[1]!)) return;
    if (isTheirs(now)) return void this.#shown.delete(path);
    const [former, sha] = [this.#shown.get(path), this.#sha(now.data)];
    this.#shown.set(path, sha);
    if (former === undefined || former === sha || !this.#keepsFormer) return;
    if (!this.#versionsAt(path).has(former)) this.accuse(`on_conflict: the former version of ${path} is not kept`);
  }

  /** Keeps the account of what is not there. */
  #settle(route: Route, name: string, now: Inode | undefined): void {
    const source = `${route.source}/${name}`;
    const newest = this.newest.get(source);
    if (newest === undefined) return;
    const key = `${route.destination} ${source}`;
    if (now?.kind === "file" && this.#sha(now.data) === newest.sha) this.owed.delete(key);
    else if (!this.owed.has(key)) this.owed.set(key, { ...newest, since: this.world.passed() });
  }

  /** I4: the program removed a source (cameras tell before they do). */
  #seeSourceGone(path: string): void {
    const { sha } = this.newest.get(path)!;
    for (const { destination, base, source } of this.#routesOf(path)) {
      const target = `${base}/${path.slice(source.length + 1)}`;
      const there = this.#onDisk(target);
      const folder = this.#onDisk(target.slice(0, target.lastIndexOf("/")));
      const isNamed = !there?.device.changes.some((change) => change.folder === folder && target.endsWith(`/${change.name}`));
      const isSafe = there !== undefined && this.#sha(there.flushed) === sha && isNamed;
      const removedAt = this.#removedByHand.get(target) ?? -Infinity;
      // Between the last look at the copies and the removal nobody can know of it.
      if (!isSafe && this.tree.byProgram && this.world.passed() - removedAt > MINUTE) {
        this.accuse(`I4: ${path} was removed, and ${destination} has no safe copy`);
      }
    }
    if (this.tree.byProgram) this.gone(path);
  }

  #isSuperseded(target: string, route: Route, sha: string): boolean {
    const source = `${route.source}${target.slice(route.base.length)}`;
    const newest = this.newest.get(source)?.sha ?? null;
    // A power cut may have taken the newer source as well, after its copy had replaced this one.
    const isReplaced = this.isMirror && [...this.#versionsAt(target)].some((each) => this.#complete.get(source)?.has(each));
    return isReplaced || (newest !== sha && newest !== null);
  }

  /** In a mirror, what its source was removed of. */
  #isRemoved(target: string, route: Route): boolean {
    return this.isMirror && this.#onDisk(`${route.source}${target.slice(route.base.length)}`) === undefined;
  }

  #versionsAt(target: string): Set<string> {
    const at = target.lastIndexOf("/");
    const [folder, name] = [target.slice(0, at), target.slice(at + 1)];
    const found = new Set<string>();
    for (const [each, inode] of this.#onDisk(folder)?.entries ?? []) {
      if (inode.kind === "file" && (each === name || each.replace(/\.v\d+(?=\.[^.]*$|$)/, "") === name)) {
        found.add(this.#sha(inode.data));
      }
    }
    return found;
  }

  #routesOf(path: string): readonly Route[] {
    return this.routes.filter(({ source }) => path.startsWith(`${source}/`));
  }

  #versions(path: string): Set<string> {
    let versions = this.#complete.get(path);
    if (versions === undefined) this.#complete.set(path, versions = new Set());
    return versions;
  }

  /** What a destination's own disk has, whether it is mounted now or not. */
  #onDisk(path: string): Inode | undefined {
    const [, disk, ...names] = path.split("/");
    return names.reduce<Inode | undefined>((folder, name) => folder?.entries.get(name), this.tree.disks.get(disk!)?.root);
  }

  #look(path: string): Inode | undefined {
    try {
      return this.tree.look(path, true);
    } catch {
      return undefined;
    }
  }

  #sha(bytes: Uint8Array): string {
    let sha = this.#hashes.get(bytes);
    if (sha === undefined) this.#hashes.set(bytes, sha = createHash("sha256").update(bytes).digest("hex"));
    return sha;
  }
}

function minutes(ms: number): string {
  return `${Math.round(ms / MINUTE)} min`;
}
