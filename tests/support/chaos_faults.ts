/**
 * The faults of a chaos night, in groups: of each group one fault at a time, of different groups any at the same time.
 * A fault gives back how it is mended.
 */
import { join } from "@std/path";
import { bind, DESTINATIONS, type Site, SMALL_MEGABYTES, unmount } from "./chaos_site.ts";
import type { Dice } from "./seeded.ts";

type Mend = () => void | Promise<void>;
type Fault = (site: Site, dice: Dice) => Promise<Mend | void> | Mend | void;
type Group = Readonly<Record<string, Fault>>;

/** How the faults follow each other, milliseconds at most; `tell` hears of each. */
interface FaultPace {
  readonly restMs: number;
  readonly holdMs: number;
  readonly over: () => boolean;
  readonly tell: (what: string) => void;
}

/** Room for everything that a night of some minutes can write. */
const ENOUGH_MEGABYTES = 8000;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const STEPS = ["during_put", "after_put", "after_verify", "after_publish", "before_record", "after_source_removed"] as const;

const DAEMON: Group = {
  async "kill -9"({ daemon }, dice) {
    await daemon.kill();
    await pause(dice.int(0, 800));
    await daemon.start();
  },
  async "kill -9, again while it recovers"({ daemon }, dice) {
    for (let time = dice.int(2, 3); time > 0; time--) {
      await daemon.kill();
      await daemon.start();
      await pause(dice.int(200, 2500));
    }
  },
  async "vanishes at a named step"({ daemon }, dice) {
    await daemon.kill();
    await daemon.start(dice.pick(STEPS));
    for (let wait = 0; wait < 40 && daemon.running(); wait++) await pause(150);
    await daemon.kill();
    await daemon.start();
  },
  async "SIGTERM and start"({ daemon }, dice) {
    await daemon.stop();
    await pause(dice.int(0, 1500));
    await daemon.start();
  },
  "SIGSTOP"({ daemon }) {
    daemon.signal("SIGSTOP");
    return () => daemon.signal("SIGCONT");
  },
};

const SERVER: Group = {
  async "sshd killed"({ server }) {
    await server.kill();
    return () => server.restart();
  },
  async "sshd frozen"({ server }) {
    await server.freeze();
    return () => server.thaw();
  },
  "sessions dropped": ({ server }) => server.dropConnections(),
  async "login refused"(site) {
    await site.server.revokeKey();
    await site.server.dropConnections();
    // It holds for minutes, so as not to be banned: a person says when the key is right again.
    return async () => {
      await site.server.allowKey();
      await command(site, ["resume"]);
    };
  },
};

const LINKS: Group = {
  cut: ({ links }, dice) => dice.pick(links).proxy.cut(),
  "cut after a while": ({ links }, dice) => void dice.pick(links).proxy.cutAfter(dice.int(10_000, 5_000_000)),
  "black hole"({ links }, dice) {
    const { proxy } = dice.pick(links);
    proxy.blackHole();
    return () => proxy.heal();
  },
  refusing({ links }, dice) {
    const { proxy } = dice.pick(links);
    proxy.refuse();
    return () => proxy.heal();
  },
  slow({ links }, dice) {
    const { shape } = dice.pick(links);
    shape.rate = dice.int(50_000, 2_000_000);
    return () => void (shape.rate = 0);
  },
};

const DISK: Group = {
  async "disk full"({ disk, folder }) {
    if (!disk) return;
    const ballast = folder.at("small", "ballast");
    const filling = await new Deno.Command("dd", {
      args: ["if=/dev/zero", `of=${ballast}`, "bs=1M", "status=none"],
      stderr: "null",
    }).output();
    if (filling.success) throw new Error("the small disk has no end");
    return () => Deno.removeSync(ballast);
  },
  async "disk shrunk"({ disk }) {
    if (!disk) return;
    // Refused where more was written meanwhile.
    await disk.small.resize(await usedMegabytes(disk.small.path) + 2).catch(() => {});
    return async () => disk.small.resize(await usedMegabytes(disk.small.path) + SMALL_MEGABYTES);
  },
  async "disk read-only"({ disk }) {
    if (!disk) return;
    // Refused while somebody writes there.
    await disk.small.readOnly(true).catch(() => {});
    return () => disk.small.readOnly(false);
  },
  async "disk not mounted"({ disk, folder }) {
    if (!disk) return;
    await unmount(disk.mount);
    return async () => {
      const written = entriesOf(disk.mount).map(({ name }) => name);
      await bind(folder.at("small"), disk.mount);
      if (written.length > 0) throw new Error(`written into an empty mount point: ${written.join()}`);
    };
  },
};

const FOLDERS: Group = {
  "target folder not writable"(site, dice) {
    const folder = dice.pick(foldersBelow(dice.pick(site.bases)));
    return withoutWriting(folder);
  },
  async "staging folder removed"(site, dice) {
    for (const base of site.bases) {
      for (const { name } of entriesOf(base)) {
        if (!name.startsWith(".image-transfer-") || dice.chance(0.3)) continue;
        await Deno.remove(join(base, name), { recursive: true }).catch(() => {});
      }
    }
  },
  "watched folder away"({ cameras }, dice) {
    const camera = dice.pick(cameras);
    camera.moveAway();
    return () => camera.moveBack();
  },
  async "source not readable"({ cameras }, dice) {
    const { here, stat } = dice.pick(cameras);
    const names = [...stat.keys()];
    if (names.length === 0) return;
    const name = dice.pick(names);
    await here((path) => chmod(path(name), 0o000));
    return async () => void await here((path) => chmod(path(name), 0o644));
  },
};

const CONTROL: Group = {
  "another configuration"(site, dice) {
    site.configure({
      parallel_transfers: dice.int(1, 6),
      log_level: dice.pick(["DEBUG", "TRACE"]),
      bandwidth_limit: dice.pick([false, "3 MB/s"]),
      max_concurrent_syncs: dice.int(1, 4),
      rescan_interval: dice.int(3, 12),
    });
    if (dice.chance(0.5)) site.daemon.hangUp();
    return () => site.configure({});
  },
  "a destination taken out"(site, dice) {
    site.configure({}, dice.pick(DESTINATIONS));
    return () => site.configure({});
  },
  async "a broken configuration"(site) {
    // A daemon that is started with it refuses to start, as it should.
    if (!site.daemon.holdStarts()) return;
    Deno.writeTextFileSync(site.installation.configFile, "jobs: [{ name: spring, watch_pth: /nowhere");
    site.daemon.hangUp();
    await pause(1000);
    site.configure({});
    site.daemon.letStart();
  },
  async "paused"(site, dice) {
    // Who resumes a destination by name while its disk is missing says that the empty mount point is the right place.
    const name = dice.pick(DESTINATIONS.filter((name) => name !== "disk"));
    await command(site, ["pause", name]);
    return () => command(site, ["resume", name]);
  },
  async "sync"(site) {
    await command(site, ["sync"]);
  },
  async "retry"(site) {
    await command(site, ["retry", "--all"]);
  },
};

export const GROUPS: readonly Group[] = [DAEMON, SERVER, LINKS, DISK, FOLDERS, CONTROL];

/** Strikes with faults of one group, one after the other, until the night is over; mends the last one. */
export async function strike(group: Group, site: Site, dice: Dice, pace: FaultPace): Promise<void> {
  while (!pace.over()) {
    await pause(dice.int(0, pace.restMs));
    if (pace.over()) return;
    const name = dice.pick(Object.keys(group));
    pace.tell(name);
    const mend = await group[name]!(site, dice);
    if (!mend) continue;
    await pause(dice.int(100, pace.holdMs));
    await mend();
    pace.tell(`${name}: mended`);
  }
}

/** Takes back what may be left of every fault, as the person does who comes in the morning. */
export async function mendAll(site: Site): Promise<void> {
  for (const camera of site.cameras) camera.moveBack();
  for (const { root } of site.cameras) giveRightsBack(root);
  for (const base of site.bases) giveRightsBack(base);
  for (const { proxy, shape } of site.links) {
    proxy.heal();
    shape.rate = 0;
  }
  await site.disk?.small.resize(ENOUGH_MEGABYTES);
  site.configure({});
  await site.daemon.start();
}

/** Runs a command of the program; what it says does not matter, and a stopped daemon does not answer. */
export async function command(site: Site, args: readonly string[]): Promise<void> {
  await site.installation.command(args);
}

async function usedMegabytes(folder: string): Promise<number> {
  const { stdout } = await new Deno.Command("du", { args: ["-sm", folder], stderr: "null" }).output();
  return Number(new TextDecoder().decode(stdout).split("\t")[0]);
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

function foldersBelow(base: string): string[] {
  return [base, ...entriesOf(base).filter(({ isDirectory }) => isDirectory).map(({ name }) => join(base, name))];
}

function withoutWriting(folder: string): Mend | undefined {
  return chmod(folder, 0o555) ? () => void chmod(folder, 0o755) : undefined;
}

/** False where it is gone, or cannot be changed now. */
function chmod(path: string, mode: number): boolean {
  try {
    Deno.chmodSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Folders are writable again and files readable, as they all were. */
function giveRightsBack(folder: string): void {
  chmod(folder, 0o755);
  for (const { name, isDirectory, isFile } of entriesOf(folder)) {
    if (isDirectory) giveRightsBack(join(folder, name));
    else if (isFile) chmod(join(folder, name), 0o644);
  }
}
