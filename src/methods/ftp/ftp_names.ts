/**
 * Names by FTP. Some servers' rename replaces what has the name, others refuse: what is there is asked for first, while no other installation
 * gives names. Acts of one call are one run of curl, and of many names in a new folder nothing is asked one by one.
 */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Act, Answer, Answers, Names, Phases } from "../names.ts";
import { TRASH } from "../removal.ts";
import { isYes, type Reply } from "./dialogue.ts";
import { checkBase, command, type FtpBase, look, noBase, parentOf, pathOf, tryToWrite, unknownFolders } from "./ftp_base.ts";
import { meaningOfReply, refused } from "./ftp_failures.ts";
import { chmod, digest } from "./ftp_files.ts";
import { checkStaging, commandAndList, linksAmong, namesIn, strangers } from "./ftp_listing.ts";

const RETRY_MS = 200;

/** For one call of a session. */
export function ftpNames(base: FtpBase): Names {
  const { context: { system, stagingRoot }, destination: { transport: { host, port }, timeoutMs }, folder, where } = base;
  /** Folders of many names that were made just now: nothing in them has a name. */
  const fresh = new Set<string>();
  return {
    where,
    system,
    stagingRoot,
    timeoutMs,
    retryMs: RETRY_MS,
    place: JSON.stringify([host, port, folder]),
    known: new Set(),
    check: (path) => pathOf(base, path),
    mayReplace: () => Promise.resolve(true),
    act: (phases, signal) => act(base, fresh, phases, signal),
    async list(folders, signal) {
      const lists = await namesIn(base, folders.map((each) => pathOf(base, each)), signal);
      return lists.map((names) => names.map((name) => ({ name })));
    },
    digest: (paths, signal) => digest(base, paths, signal),
    checkBase: (signal) => checkBase(base, signal),
    async checkStaging(signal) {
      await checkStaging(base, signal);
      // Not all servers list it.
      return true;
    },
    async strangers(paths, what, signal) {
      if (what === "remove") {
        await checkBase(base, signal);
        await checkStaging(base, signal);
      }
      // The trash was looked at with our other folders.
      return await strangers(base, paths.filter((path) => !path.startsWith(`${TRASH}/`)), what, signal);
    },
    async links(paths, signal) {
      const relative = new Map(paths.map((path) => [pathOf(base, path), path]));
      const links = relative.size === 0 ? [] : await linksAmong(base, [...relative.keys()], signal);
      return new Set([...links].map((path) => relative.get(path)!));
    },
    failure(what: string, refusal: Reply | Failure | string | null) {
      if (refusal instanceof Failure) return refusal;
      return typeof refusal === "string" ? refused(what, null, 0, refusal) : refused(what, refusal);
    },
    tryToWrite: (signal) => tryToWrite(base, signal),
    isLost: ({ code }) => !OF_ONE_NAME.has(code),
  };
}

const OF_ONE_NAME: ReadonlySet<string> = new Set([
  "exists",
  "name_refused",
  "mismatch",
  "permission_denied",
  "disk_full",
  "read_only",
]);

async function act(base: FtpBase, fresh: Set<string>, phases: Phases, signal: AbortSignal): Promise<Answers> {
  signal.throwIfAborted();
  const steps = phases.flat().map((act) => {
    const path = pathOf(base, "path" in act ? act.path : act.to);
    return { act, path, commands: commandsFor(base, act, path) };
  });
  // Most folders that are not known are made in the same run. Some servers say so of a folder that is there.
  const unknown = unknownFolders(base, steps.flatMap(({ act, path }) => act.do === "free" ? [path] : []));
  const isUnknown = (path: string) => unknown.includes(parentOf(path));
  const [listed] = fresh;
  const isListed = (path: string) => parentOf(path) === listed;
  const enter = `CWD ${base.folder}`;
  const commands = [
    ...unknown.map((folder) => `CWD ${folder}`),
    // Some servers make the folders on the way as well: never the base path.
    ...(steps.some(({ act }) => act.do === "mkdir") ? [enter] : []),
    ...steps.flatMap(({ act, path, commands }) => {
      if (act.do === "free") return isUnknown(path) ? [] : commands;
      return act.do === "give" && !isListed(path) ? [...commands, question(base, path)] : commands;
    }),
  ];
  const lists = listed !== undefined && steps.some(({ act, path }) => act.do === "give" && isListed(path));
  const { replies, names } = lists
    ? await commandAndList(base, commands, listed, signal)
    : { replies: commands.length === 0 ? () => null : await command(base, commands, signal), names: new Set<string>() };
  if (commands.includes(enter) && !isYes(replies(enter))) throw noBase(base, replies(enter), false);
  fresh.clear();
  for (const folder of unknown) {
    base.known.add(folder);
    if (!isYes(replies(`CWD ${folder}`)) && isYes(replies(`MKD ${folder}`))) fresh.add(folder);
  }
  // What the list of a new folder leaves out is asked for, as is what is in folders that are not new.
  const isSeen = (path: string) => isListed(path) && names.has(path.slice(listed!.length + 1));
  const rest = steps.flatMap(({ act, path }) => {
    const isOpen = act.do === "free"
      ? isUnknown(path) && !fresh.has(parentOf(path))
      : act.do === "give" && isListed(path) && !isSeen(path) && isYes(replies(`RNTO ${path}`));
    return isOpen ? [question(base, path)] : [];
  });
  const others = rest.length === 0 ? replies : await command(base, rest, signal);
  const asked = (path: string) => replies(question(base, path)) ?? others(question(base, path));
  const looks = steps.filter(({ act }) => act.do === "stat").map(({ path }) => path);
  const found = await look(base, looks, signal);

  const answers = new Map<Act, Answer>();
  for (const { act, path, commands } of steps) {
    const reply = commands.length === 0 ? null : replies(commands.at(-1)!);
    if (act.do === "free") {
      answers.set(act, { done: fresh.has(parentOf(path)) || (asked(path) !== null && !isYes(asked(path))) });
    } else if (act.do === "stat") answers.set(act, { done: true, stat: found[looks.indexOf(path)]! });
    else if (act.do === "give") {
      // A server may have given another name than it was told.
      const done = isYes(reply) && (isSeen(path) || isYes(asked(path)));
      const isForbidden = meaningOfReply(replies(commands[0]!))?.code === "permission_denied";
      if (!isForbidden || done) answers.set(act, { done, refusal: reply });
      else {
        const what = `Cannot write "${printable(act.to)}" below ${base.where}: the account may not rename`;
        const hint =
          "Give the account there permission to write, to make folders and to rename in that folder, or change the layout.";
        answers.set(act, { done, refusal: new Failure("permission_denied", what, { hint }), final: true });
      }
    } else answers.set(act, { done: isYes(reply), refusal: reply });
  }
  return answers;
}

/** The reply to the last one tells whether it was done. */
function commandsFor(base: FtpBase, act: Act, path: string): string[] {
  switch (act.do) {
    case "free":
      return [question(base, path)];
    case "give":
    case "rename":
    case "replace":
      return [`RNFR ${pathOf(base, act.from)}`, `RNTO ${path}`];
    case "mkdir":
      return [`MKD ${path}`];
    case "mode":
      return [chmod(act.mode, path)];
    case "remove":
      return [`DELE ${path}`];
    case "rmdir":
      return [`RMD ${path}`];
    case "folder":
      return [`CWD ${path}`];
    case "stat":
    case "link":
      return [];
  }
}

/** The command that is refused where nothing has the name. */
function question({ features }: FtpBase, path: string): string {
  return `${features.mlst ? "MLST" : "RNFR"} ${path}`;
}
