/** One night: the real daemon in the simulated world, with what a scenario has happen, before the judge. */
import { parseSettings } from "../../src/config/read/parse_settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { type Daemon, startDaemon } from "../../src/daemon/daemon.ts";
import { Failure } from "../../src/domain/failure.ts";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { local } from "../../src/methods/local/local.ts";
import { shoot } from "./camera.ts";
import { type Device, Tree } from "./disk.ts";
import { aLine, farMethod, type Line } from "./far.ts";
import { Judge, type Route } from "./judge.ts";
import { type LedgerDisk, ledgerDisk } from "./ledger_disk.ts";
import { type DiskName, type Fault, MINUTE, type NightOptions, type Scenario } from "./scenario.ts";
import { type Step, STEP_OF_EVENT, stepOf } from "./steps.ts";
import { type OnCall, simulatedSystem, type Weather } from "./system.ts";
import { exchangeFolder, linkStaging, plantFile, plantHome } from "./strangers.ts";
import { createLife, createWorld, type Life, type World } from "./world.ts";

/** How a night came out. */
export interface Verdict {
  readonly offences: readonly string[];
  readonly digest: string;
  readonly steps: number;
  readonly deliveries: number;
  /** Which fault met which step of the program: `fault × step`, and how often. */
  readonly met: ReadonlyMap<string, number>;
  /** The faults as they came, each bound to the call of the program that it came before. */
  readonly bound: readonly Fault[];
  /** The faults whose call never came. */
  readonly missed: readonly Fault[];
  /** What people are told of the night. */
  readonly told: readonly string[];
  /** The last of what happened, call by call. */
  readonly story: readonly string[];
}

// What the daemon loads later is loaded before: in the world there is nothing to load it from.
await import("../../src/events/metrics.ts");

/** Images are written, faults come and calls are counted from then on. */
const BEGIN_MS = 1000;
const EVENING = Date.UTC(2026, 0, 15, 18);
const HOME: readonly DiskName[] = ["cam", "nas", "usb", "state"];
/** systemd starts the service again after so long. */
const RESTART_MS = 10_000;
/** After everything has healed, all must be well within so long. */
const QUIET_WITHIN_MS = 3 * 60 * MINUTE;

export const ROUTES: readonly Route[] = [
  { destination: "nas", base: "/nas/a", source: "/cam/a" },
  { destination: "usb", base: "/usb/a", source: "/cam/a" },
  { destination: "freya", base: "/far/a", source: "/cam/a" },
  { destination: "nas", base: "/nas/b", source: "/cam/b" },
  { destination: "freya", base: "/far/b", source: "/cam/b" },
];

/** Everything that a night consists of. */
interface Site {
  readonly world: World;
  readonly tree: Tree;
  readonly judge: Judge;
  readonly line: Line;
  readonly weather: Weather;
  readonly ledger: LedgerDisk;
  readonly scenario: Scenario;
  readonly locks: Map<string, Life>;
  readonly waiting: { fault: Fault; left: number }[];
  readonly active: Set<string>;
  readonly met: Map<string, number>;
  /** What a person puts right in the morning, besides disks and lines. */
  readonly mending: (() => void)[];
  /** The program's calls so far, of each kind below each folder. */
  readonly calls: Map<string, number>;
  /** Faults that came since the last call. */
  readonly unbound: Fault[];
  readonly bound: Map<Fault, Fault>;
  missed: readonly Fault[];
  /** What the program is busy with besides its work. */
  phase: "start" | "reload" | "stop" | null;
  lastStep: Step;
  life: Life | null;
  /** How often the configuration was changed. */
  changes: number;
  /** When the program was started last. */
  startedAt: number;
  daemon: Daemon | null;
  deliveries: number;
  /** When nothing is started again any more. */
  isOver: boolean;
}

/** Lets a night happen, outside of all promises: those of everybody else wait for it. */
export function night(scenario: Scenario): Promise<Verdict> {
  return new Promise((resolve, reject) =>
    setTimeout(() => {
      try {
        resolve(runNight(scenario));
      } catch (error) {
        reject(error);
      }
    }, 0)
  );
}

function runNight(scenario: Scenario): Verdict {
  const world = createWorld(scenario.order, EVENING);
  const tree = new Tree(world);
  makeDisks(tree, scenario.options);
  const judge = new Judge(world, tree, ROUTES, scenario.options);
  using ledger = ledgerDisk(world.chance);
  const site: Site = {
    world,
    tree,
    judge,
    line: aLine(),
    weather: { tooManyOpenFiles: false, deaf: false, seesEveryWriter: scenario.options.seesEveryWriter },
    ledger,
    scenario,
    locks: new Map(),
    waiting: [],
    active: new Set(),
    met: new Map(),
    mending: [],
    calls: new Map(),
    unbound: [],
    bound: new Map(),
    missed: [],
    phase: null,
    lastStep: "start",
    life: null,
    changes: 0,
    startedAt: 0,
    daemon: null,
    deliveries: 0,
    isOver: false,
  };
  using _globals = onlyThisWorld(judge);
  start(site);
  scenario.shots.forEach((shot, nth) =>
    world.after(BEGIN_MS + shot.at, () => {
      world.tell(`IMAGE camera ${shot.camera} writes ${shot.name}, ${shot.kind}, ${shot.bytes} bytes`);
      void shoot(shot, nth, tree, world, judge);
    })
  );
  for (const fault of scenario.faults) world.after(BEGIN_MS + fault.at, () => arm(fault, site));
  everyMinute(site);
  try {
    const end = scenario.minutes * MINUTE;
    world.run(() => world.passed() > end);
    heal(site);
    const deadline = world.passed() + QUIET_WITHIN_MS;
    world.run(() => world.passed() > deadline || (isQuiet(site)));
    if (site.daemon === null) judge.accuse("the daemon does not run although everything is mended");
    else judge.end(statusOf(site.daemon));
    if (judge.offences.length > 0 && site.daemon !== null) world.note(`STATUS ${JSON.stringify(statusOf(site.daemon))}`);
    stopCleanly(site);
  } catch (error) {
    judge.accuse(`the night broke off: ${error instanceof Error ? error.stack ?? error.message : error}`);
  }
  site.life?.end();
  return {
    offences: judge.offences,
    digest: world.trace.digest(),
    steps: world.steps,
    deliveries: site.deliveries,
    met: site.met,
    bound: scenario.faults.map((fault) => site.bound.get(fault) ?? fault),
    missed: site.missed,
    told: world.told,
    story: world.trace.last,
  };
}

function makeDisks(tree: Tree, { tickMs = 4 }: NightOptions): void {
  for (const name of ["cam", "nas", "usb", "far", "state"]) {
    tree.mkdir(`/${name}`);
    tree.mount(tree.disk(name, 1e9), `/${name}`);
  }
  tree.disks.get("cam")!.tickMs = tickMs;
  for (const folder of ["/run", "/run/image-transfer", "/cam/a", "/cam/b", "/far/a", "/far/b"]) tree.mkdir(folder);
  plantHome(tree);
  for (const folder of ["/far", "/far/a", "/far/b", "/cam"]) tree.sync(tree.need(folder, true, "open"));
}

function settingsOf(
  { onConflict, deleteSource, audit, verify, mirror }: NightOptions,
  system: Parameters<typeof parseSettings>[3],
  changes: number,
): Settings {
  // Each change is one of another destination, and starts its job anew.
  const toDisk = (name: string, base: string) => ({
    name,
    transfer_method: "local",
    remote_base_path: base,
    ...(name === "usb" || changes % 2 === 1 ? { retry_delay: 5 + changes } : {}),
  });
  const toFreya = (base: string) => ({ name: "freya", transfer_method: "sftp", remote_host: "freya", remote_base_path: base });
  const config = {
    state_directory: "/state/image-transfer",
    log_directory: "/state/logs",
    web: false,
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    file_patterns: ["*.fits", "*.fit", "*.ser"],
    on_conflict: onConflict,
    verify_transfer: verify,
    delete_source: deleteSource,
    delete_destination_files: mirror,
    ...(audit ? { audit: { every: "1h" } } : {}),
    jobs: [
      { name: "a", watch_path: "/cam/a", destinations: [toDisk("nas", "/nas/a"), toDisk("usb", "/usb/a"), toFreya("/far/a")] },
      { name: "b", watch_path: "/cam/b", destinations: [toDisk("nas", "/nas/b"), toFreya("/far/b")] },
    ],
  };
  return parseSettings(JSON.stringify(config), "/etc/image-transfer/config.yaml", "yaml", system);
}

/** Starts the program, and has it started again whenever it ends. */
function start(site: Site): void {
  const { world, tree, weather, locks, judge, ledger, scenario, line } = site;
  if (site.isOver) return;
  const life = createLife(world);
  site.life = life;
  site.startedAt = world.passed();
  const onCall: OnCall = (call, path) => called(call, path, site);
  const system = simulatedSystem({ life, tree, weather, uid: 0, onCall, locks });
  const again = () => world.after(RESTART_MS, () => site.life === life && start(site));
  world.tell("START the program starts");
  const settings = settingsOf(scenario.options, system, site.changes);
  site.phase = "start";
  const started = startDaemon(settings, {
    system,
    openLedger: ledger.openLedger,
    readSettings: () => Promise.resolve(settingsOf(scenario.options, system, site.changes)),
    methodNamed: (name) => Promise.resolve(name === "sftp" ? farMethod(line, life) : local),
    listeners: [(event) => {
      if (!life.alive) return;
      if (event.type === "delivered") site.deliveries += 1;
      const step = STEP_OF_EVENT[event.type];
      if (step !== undefined) meet(step, site);
      const said = saidOf(event);
      if (said !== null) say(said, site);
      judge.hear(event);
    }],
  });
  started.then((daemon) => {
    site.phase = null;
    if (daemon === null) return again();
    site.daemon = daemon;
    daemon.stopped.then(() => {
      if (site.daemon === daemon) site.daemon = null;
      again();
    });
  }, (error) => {
    say(`it cannot start: ${error instanceof Error ? error.message : error}`, site);
    again();
  });
}

/** What the program says; the real folder of its ledger has another name each night. */
function say(said: string, { world, ledger }: Site): void {
  world.tell(`SAYS ${said.replaceAll(ledger.folder, "/ledger")}`);
}

/** What an event says, for the story of a night; null for what goes as it should. */
function saidOf(event: TransferEvent): string | null {
  switch (event.type) {
    case "notice":
      return event.level === "debug" ? null : event.message;
    case "not_watching":
      return `${event.folder} is not watched: ${event.failure.message}`;
    case "refused":
      return `${event.path} is refused: ${event.failure.message}`;
    case "destination":
      return `${event.name} is ${event.now.state}${"failure" in event.now ? `: ${event.now.failure.message}` : ""}`;
    case "deferred":
    case "failed": {
      const { state, source, destination } = event.delivery;
      return `${event.type} ${source.path} for ${destination}: ${
        "failure" in state ? `${state.failure.code} ${state.failure.message}` : ""
      }`;
    }
    case "incomplete":
      return `${event.path} is incomplete: ${event.reason}`;
    case "delivered":
      return `delivered ${event.delivery.source.path} to ${event.delivery.destination}`;
    default:
      return null;
  }
}

function end(site: Site): void {
  site.life?.end();
  [site.life, site.daemon] = [null, null];
}

function crash(how: "kill" | "power", site: Site): void {
  const { ledger, tree, world, judge } = site;
  end(site);
  world.tell(`CRASH ${how}`);
  if (how === "power") {
    for (const name of HOME) tree.cutPower(tree.disks.get(name)!, world.chance);
    judge.powerCut();
    for (const name of HOME) judge.afterPowerCut(tree.disks.get(name)!);
  }
  ledger.crash(how, world.chance);
}

function cutFar({ line, tree, world, judge }: Site): void {
  const far = tree.disks.get("far")!;
  line.generation += 1;
  line.state = "cut";
  tree.cutPower(far, world.chance);
  judge.afterPowerCut(far);
}

/** A person copies the newest image that has not arrived there, as a file manager does: nothing is flushed. */
function copyByHand(destination: string, { tree, judge }: Site): void {
  const path = [...judge.owed.keys()].findLast((key) => key.startsWith(`${destination} `))?.slice(destination.length + 1);
  const route = ROUTES.find((each) => each.destination === destination && path?.startsWith(`${each.source}/`));
  if (path === undefined || route === undefined) return;
  attempt(() => {
    const { data } = tree.need(path, false, "open");
    const target = route.base + path.slice(route.source.length);
    const unfinished = `/${route.base.split("/")[1]}/by hand`;
    if (tree.look(target, false) !== undefined) return;
    tree.uid = 0;
    tree.write(tree.open(unfinished, { write: true, createNew: true }), 0, data);
    tree.rename(unfinished, target);
  });
}

/** A person removes the copy of an image whose source is still there. */
function removeByHand(destination: string, { tree, judge, world }: Site): void {
  const copies = ROUTES.filter((route) => route.destination === destination).flatMap(({ base, source }) =>
    [...judge.newest.keys()].filter((path) => path.startsWith(`${source}/`) && !judge.owed.has(`${destination} ${path}`)).map((
      path,
    ) => base + path.slice(source.length))
  );
  if (copies.length === 0) return;
  const copy = world.chance.pick(copies);
  attempt(() => {
    tree.unlink(copy);
    judge.removedByHand(copy);
  });
}

function isQuiet({ daemon, judge, world, startedAt }: Site): boolean {
  // One that has not reached its destinations yet cannot tidy them up.
  if (daemon === null || judge.owed.size > 0 || world.passed() - startedAt < MINUTE) return false;
  const status = statusOf(daemon);
  return judge.isSatisfied(status) && judge.notMirrored(status).length === 0 && judge.leftovers().length === 0;
}

function statusOf(daemon: Daemon): Awaited<ReturnType<Daemon["status"]>> {
  const status = daemon.status();
  if (status instanceof Promise) throw new TypeError("the status comes later");
  return status;
}

function everyMinute(site: Site): void {
  const { world, judge } = site;
  const look = () => {
    if (site.isOver) return;
    if (site.daemon !== null) judge.minute(statusOf(site.daemon), site.line.state === "slow");
    world.after(MINUTE, look);
  };
  world.after(MINUTE, look);
}

/** Sees each call of the program: a fault may be bound to it. */
function called(call: string, path: string, site: Site): void {
  const below = path.slice(0, Math.max(0, path.indexOf("/", 1)));
  const step = site.phase ?? stepOf(call, path);
  if (step !== null) meet(step, site);
  if (site.world.passed() < BEGIN_MS) return;
  const nth = (site.calls.get(`${call} ${below}`) ?? 0) + 1;
  site.calls.set(`${call} ${below}`, nth);
  for (const fault of site.unbound.splice(0)) site.bound.set(fault, { ...fault, at: 0, call, below, nth });
  for (const each of [...site.waiting]) {
    if (each.fault.call !== call || !path.startsWith(`${each.fault.below}/`) || --each.left > 0) continue;
    site.waiting.splice(site.waiting.indexOf(each), 1);
    happen(each.fault, site, path);
  }
}

/** Notes that the faults of now met a step of the pipeline. */
function meet(step: Step, site: Site): void {
  site.lastStep = step;
  for (const each of site.active) count(`${each} × ${step}`, site);
}

function count(key: string, { met }: Site): void {
  met.set(key, (met.get(key) ?? 0) + 1);
}

function arm(fault: Fault, site: Site): void {
  if (fault.call !== undefined) return void site.waiting.push({ fault, left: fault.nth ?? 1 });
  const now = () => {
    site.unbound.push(fault);
    happen(fault, site);
  };
  if (fault.kind !== "power cut at home" && fault.kind !== "power cut everywhere") return now();
  // Before a call that may never come each commit would have to be kept for too long.
  site.ledger.keepFlushed = true;
  site.world.after(MINUTE, now);
}

/** The fault, now, or in front of the call for this path; it is taken back after its time. */
function happen(fault: Fault, site: Site, path = ""): void {
  const { world, tree, line, weather, ledger, judge } = site;
  const name = "disk" in fault ? `${fault.kind} ${fault.disk}` : fault.kind;
  world.tell(`FAULT ${name} for ${fault.forMs} ms`);
  site.active.add(name);
  count(`${name} × ${site.lastStep}`, site);
  const later = (undo: () => void) =>
    world.after(fault.forMs, () => {
      if (site.isOver) return;
      site.active.delete(name);
      world.tell(`OVER ${name}`);
      undo();
    });
  const nothing = () => {};
  switch (fault.kind) {
    case "full":
    case "read only":
    case "failing":
    case "hanging": {
      const device = tree.disks.get(fault.disk)!;
      device.set(fault.kind);
      return later(() => device.set("well"));
    }
    case "unmounted":
    case "another disk":
      return exchange(fault.disk, fault.kind === "another disk", site, later);
    case "kill":
      return fromOutside(site, () => {
        crash("kill", site);
        later(nothing);
        world.after(RESTART_MS, () => site.life === null && start(site));
        if (fault.powerAfterMs === undefined) return;
        world.after(RESTART_MS + fault.powerAfterMs, () => {
          if (site.isOver || site.life === null) return;
          crash("power", site);
          world.after(RESTART_MS, () => site.life === null && start(site));
        });
      });
    case "stop":
      if (site.daemon !== null) site.phase = "stop";
      site.daemon?.stop("a person asked for it");
      return later(nothing);
    case "power cut at home":
    case "power cut everywhere":
      return fromOutside(site, () => {
        crash("power", site);
        if (fault.kind === "power cut everywhere") cutFar(site);
        later(() => {
          mend(line);
          if (site.life === null) start(site);
        });
      });
    case "power cut far away":
      return fromOutside(site, () => {
        cutFar(site);
        later(() => mend(line));
      });
    case "a copy by hand":
      return void copyByHand(fault.destination, site);
    case "a copy removed by hand":
      return void removeByHand(fault.destination, site);
    case "sleep of the computer":
      // Its own clock stands still meanwhile, the one on the wall goes on, and connections end.
      world.setClock(fault.forMs);
      line.generation += 1;
      return later(nothing);
    case "a stranger's link": {
      const undo = linkStaging(tree, "/nas/a");
      // A power cut may bring the link back, and while the disk is at fault it stays.
      site.mending.push(undo);
      return later(undo);
    }
    case "a stranger's file":
      judge.keepTheirs(plantFile(tree, path, "/nas/a"));
      return later(nothing);
    case "an exchanged folder": {
      const undo = exchangeFolder(tree, "/cam/a/M31");
      const bringBack = () => {
        undo();
        // Cameras wrote on meanwhile.
        judge.acceptSources();
      };
      site.mending.push(bringBack);
      return later(bringBack);
    }
    case "line cut":
      line.generation += 1;
      line.state = "cut";
      return later(() => mend(line));
    case "line frozen":
    case "line slow":
      line.state = fault.kind === "line slow" ? "slow" : "frozen";
      return later(() => mend(line));
    case "answer lost":
      line.losesAnswer = true;
      return later(nothing);
    case "late writer":
      line.generation += 1;
      return later(nothing);
    case "watcher deaf":
      weather.deaf = true;
      return later(() => weather.deaf = false);
    case "too many open files":
      weather.tooManyOpenFiles = true;
      return later(() => weather.tooManyOpenFiles = false);
    case "ledger full":
    case "ledger read only":
      ledger.fault = fault.kind === "ledger full" ? "full" : "read only";
      return later(() => ledger.fault = "none");
    case "clock set":
      world.setClock(fault.byMs);
      return later(nothing);
    case "pause":
      attempt(() => site.daemon?.pause(fault.destination, "the observer"));
      return later(() => resume(site, fault.destination));
    case "reload":
      reload(site);
      return later(nothing);
    case "retry":
      attempt(() => site.daemon?.retry(null));
      return later(nothing);
    case "sync":
      attempt(() => site.daemon?.sync());
      return later(nothing);
    default:
      fault satisfies never;
  }
}

function reload(site: Site): void {
  const { daemon, judge } = site;
  if (daemon === null) return;
  site.phase = "reload";
  site.changes += 1;
  // What a fault of the ledger or of a disk forbids is refused, and said.
  daemon.reload().catch((error) => error instanceof Failure || judge.accuse(`reload: ${error}`)).finally(() => {
    if (site.daemon === daemon && site.phase === "reload") site.phase = null;
  });
}

/** What a person asks for while the ledger is at fault is refused, and said. */
function attempt(ask: () => unknown): void {
  try {
    const answer = ask();
    if (answer instanceof Promise) answer.catch(() => undefined);
  } catch {
    return;
  }
}

/** A person resumes what a person paused, as soon as the program runs and can. */
function resume(site: Site, destination: string): void {
  const isPaused = ({ name, state }: { name: string; state: string }) => name === destination && state === "paused";
  if (site.daemon !== null) attempt(() => site.daemon!.resume(destination));
  const isDone = site.daemon !== null && !statusOf(site.daemon).destinations.some(isPaused);
  if (!isDone) site.world.after(MINUTE, () => site.isOver || resume(site, destination));
}

/** Not in the middle of a call of the program that ends here. */
function fromOutside({ world }: Site, act: () => void): void {
  world.after(0, act);
}

function mend(line: Line): void {
  line.state = "well";
  for (const again of line.waiting.splice(0)) again();
}

/** The disk is taken away, or another one is put in its place; then it is put back. */
function exchange(name: DiskName, another: boolean, { world, tree, judge }: Site, later: (undo: () => void) => void): void {
  const device: Device = tree.disks.get(name)!;
  const path = `/${name}`;
  if (tree.look(path, true)?.device !== device) return later(() => {});
  judge.wereAway.add(name);
  tree.unmount(path);
  if (another) tree.mount(tree.disk(`${name}-${world.steps}`, 1e9), path);
  later(() => {
    if (tree.look(path, true)?.device === device) return;
    if (another) tree.unmount(path);
    tree.mount(device, path);
    // What was written to the other disk, or beside the missing one, is not there any more.
    judge.acceptSources();
  });
}

/** Everything that was wrong is put right, as a person would in the morning. */
function heal(site: Site): void {
  const { world, tree, line, weather, ledger, judge } = site;
  world.tell("MORNING everything is mended");
  site.missed = site.waiting.splice(0).map(({ fault }) => fault);
  site.active.clear();
  for (const name of ["cam", "nas", "usb", "far", "state"] as const) {
    const device = tree.disks.get(name)!;
    device.set("well");
    if (tree.look(`/${name}`, true)?.device === device) continue;
    if (tree.look(`/${name}`, true)?.device !== tree.root) tree.unmount(`/${name}`);
    tree.mount(device, `/${name}`);
    judge.acceptSources();
  }
  for (const undo of site.mending) undo();
  mend(line);
  line.losesAnswer = false;
  [weather.deaf, weather.tooManyOpenFiles, ledger.fault] = [false, false, "none"];
  const help = () => {
    if (site.isOver) return;
    if (site.life === null) start(site);
    // What a mirror asks is answered.
    attempt(() => site.daemon?.acceptRemovals(null));
    world.after(10 * MINUTE, help);
  };
  world.after(2 * MINUTE, help);
}

function stopCleanly(site: Site): void {
  const { daemon, world, judge } = site;
  if (daemon === null) return;
  let hasStopped = false;
  site.isOver = true;
  daemon.stopped.then(() => hasStopped = true);
  daemon.stop("the night is over");
  const deadline = world.passed() + 5 * MINUTE;
  world.run(() => hasStopped || world.passed() > deadline);
  if (!hasStopped) judge.accuse("it did not stop");
  else judge.afterStop();
}

/** Whoever asks the runtime for the time or for chance is refused, and accused: nothing of another world may be seen. */
function onlyThisWorld(judge: Judge): Disposable {
  const refuse = (what: string) => () => {
    judge.accuse(`${what} is asked past System: the night does not follow from its seed`);
    throw new TypeError(`${what} is not of this world`);
  };
  const { now } = Date;
  const { random } = Math;
  const { now: elapsed } = performance;
  const { randomUUID, getRandomValues } = crypto;
  Date.now = refuse("Date.now");
  Math.random = refuse("Math.random");
  performance.now = refuse("performance.now");
  Object.assign(crypto, { randomUUID: refuse("crypto.randomUUID"), getRandomValues: refuse("crypto.getRandomValues") });
  return {
    [Symbol.dispose]() {
      Date.now = now;
      Math.random = random;
      performance.now = elapsed;
      Object.assign(crypto, { randomUUID, getRandomValues });
    },
  };
}
