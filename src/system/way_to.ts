/**
 * Whether the way to a file leads where it seems to. Each folder of a path may be exchanged for a link by whoever may rename it, between
 * any two looks, and Deno has no `openat`: so what was found counts only if nothing was renamed on the way meanwhile.
 */
import { dirname } from "@std/path";
import type { PathFacts, System } from "./system.ts";

export type WaySystem = Pick<System, "platform" | "uid" | "now" | "facts" | "followedFacts" | "realPath" | "readText">;

/** The way to a folder. */
interface Way {
  /** Folders in which other accounts may exchange what leads there. None: nobody but this account and root can. */
  readonly exchangeable: readonly string[];
  /** Compared with that of a later look. */
  readonly state: string;
  /**
   * `fresh` where one of these folders was changed so short a time ago that one more change would not show; `elsewhere` where a folder is gone, or
   * a link that must not be followed.
   */
  readonly is: "steady" | "fresh" | "elsewhere";
}

/**
 * The way to `folder`, an absolute path. Below `root` no folder may be a link. Where it is steady, and a later look gives the same state, all that was
 * found there in between was really there: an exchange changes the ctime of the folder it happens in, and nobody can set that.
 */
export async function wayTo(folder: string, root: string, system: WaySystem): Promise<Way> {
  if (system.platform === "windows") return { exchangeable: [], state: "", is: "steady" };
  const steps: { readonly entry: string; readonly above: string }[] = [];
  for (let entry = folder; dirname(entry) !== entry; entry = dirname(entry)) steps.push({ entry, above: dirname(entry) });
  const ways = await Promise.all(steps.map(({ entry, above }) => oneStep(entry, above, entry.length > root.length, system)));
  return {
    exchangeable: ways.flatMap((way) => way.exchangeable),
    state: ways.map(({ state }) => state).join(" "),
    is: (["elsewhere", "fresh"] as const).find((is) => ways.some((way) => way.is === is)) ?? "steady",
  };
}

/** Whether nobody but this account and root can exchange what this account puts into the folder. */
export async function isOnlyOurs(folder: string, system: WaySystem): Promise<boolean> {
  const [facts, way] = await Promise.all([system.followedFacts(folder), wayTo(folder, folder, system)]);
  if (facts === null || way.exchangeable.length > 0 || way.is === "elsewhere") return false;
  return !await mayExchange(facts, { ...facts, uid: system.uid }, system);
}

async function oneStep(entry: string, above: string, isBelowRoot: boolean, system: WaySystem): Promise<Way> {
  const [its, outer] = await Promise.all([system.facts(entry), system.followedFacts(above)]);
  if (its === null || outer === null || (isBelowRoot && its.kind !== "folder")) {
    return { exchangeable: [], state: "elsewhere", is: "elsewhere" };
  }
  const real = its.kind === "symlink" ? await system.realPath(entry) : null;
  const beyond = real === null ? null : await wayTo(real, real, system);
  if (!await mayExchange(outer, its, system)) return beyond ?? { exchangeable: [], state: "", is: "steady" };
  return {
    exchangeable: [above, ...beyond?.exchangeable ?? []],
    state: `${outer.identity}/${outer.ctimeMs}/${its.identity} ${beyond?.state ?? ""}`,
    // One from the future, where the clock was set wrong, changes like any other.
    is: Math.abs(system.now() - outer.ctimeMs) < UNIT_MS ? "fresh" : beyond?.is ?? "steady",
  };
}

/** Ctimes are told in whole seconds; and some for the tick of the clock that they come from. */
const UNIT_MS = 1_050;

/** Whether another account may rename this entry of the folder; root may do anything. */
async function mayExchange(folder: PathFacts, entry: PathFacts, system: WaySystem): Promise<boolean> {
  const isOurs = ({ uid }: PathFacts) => uid == null || uid === 0 || uid === system.uid;
  if (!isOurs(folder)) return true;
  const isWritable = (folder.mode & 0o002) !== 0 || ((folder.mode & 0o020) !== 0 && await hasOthers(folder, system));
  const isSticky = (folder.mode & 0o1000) !== 0;
  return isWritable && !(isSticky && isOurs(entry));
}

/** Whether the group of a folder has members besides its owner: many systems give each account a group of its own. */
async function hasOthers({ uid, gid }: PathFacts, system: WaySystem): Promise<boolean> {
  try {
    const [groups, accounts] = await Promise.all(["/etc/group", "/etc/passwd"].map((path) => system.readText(path)));
    const fieldsOf = (text: string) => text.split("\n").map((line) => line.split(":"));
    const users = fieldsOf(accounts!);
    const owner = users.find((fields) => fields[2] === String(uid))?.[0];
    const group = fieldsOf(groups!).find((fields) => fields[2] === String(gid));
    // A group that is kept elsewhere (LDAP) may have any members.
    if (group === undefined || owner === undefined) return true;
    const members = [
      ...(group[3] ?? "").split(",").filter((name) => name !== ""),
      ...users.filter((fields) => fields[3] === String(gid)).map(([name]) => name),
    ];
    return members.some((name) => name !== owner && name !== "root");
  } catch {
    return true;
  }
}
