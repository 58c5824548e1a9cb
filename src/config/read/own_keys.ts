/**
 * What a job of a server keeps of the job of the same name in this computer's file: the keys that only the file may set. A password goes
 * where the file sends it and nowhere else, and nothing is deleted for a job that is not the file's own but for its schedule.
 */
import { isSection } from "./source.ts";
import { listOf } from "./tree.ts";

type Keys = Readonly<Record<string, unknown>>;

/** Keys that only the file may set: with them, who may write on the server could run programs here, read keys, or delete images. */
export const LOCAL_ONLY: ReadonlySet<string> = new Set([
  "hooks",
  "rsync_options",
  "password",
  "password_file",
  "tls_ca",
  "rclone_config",
  "delete_source",
  "delete_destination_files",
  "ignore_hidden_files",
  "follow_links",
]);

/** Keys that need no more than the name of the job. */
const OF_NAME: ReadonlySet<string> = new Set(["hooks"]);
/** Keys that the job keeps only while it is the file's own. */
const OF_SAME_JOB: ReadonlySet<string> = new Set([
  "delete_source",
  "delete_destination_files",
  "ignore_hidden_files",
  "follow_links",
]);
/** All others are for a destination of this name on this server. */
const WHERE = ["transfer_method", "remote_host", "remote_port", "remote_user"] as const;
/** What a server may change of a job that stays the file's own. */
const HARMLESS: ReadonlySet<string> = new Set(["schedule", "bandwidth_limit"]);

/** The section of a job of the server with what it keeps of `own`, and the keys that it does not keep. */
export function withOwnKeys(
  section: Keys,
  own: { readonly settings: Keys },
): { readonly kept: Keys; readonly lost: readonly string[] } {
  const isSameJob = canonical(without(section, HARMLESS)) === canonical(without(own.settings, HARMLESS));
  const lost = new Set<string>();
  const keep = (from: Keys, isSameServer: boolean): Keys =>
    Object.fromEntries(
      Object.entries(from).filter(([key]) => {
        if (!LOCAL_ONLY.has(key)) return false;
        const isKept = isSameJob || OF_NAME.has(key) || (isSameServer && !OF_SAME_JOB.has(key));
        if (!isKept) lost.add(key);
        return isKept;
      }),
    );
  const kept = { ...section, ...keep(own.settings, false) };
  const theirs = listOf(section["destinations"]).map(([, destination]) => destination);
  const ours = listOf(own.settings["destinations"]).map(([, destination]) => destination);
  if (section["destinations"] === undefined) return { kept, lost: [...lost] };
  const destinations = theirs.map((destination) => {
    const same = ours.find(({ name }) => String(name).toLowerCase() === String(destination["name"]).toLowerCase());
    if (same === undefined) return destination;
    return { ...destination, ...keep(same, WHERE.every((key) => canonical(same[key]) === canonical(destination[key]))) };
  });
  return { kept: { ...kept, destinations }, lost: [...lost] };
}

/** The job as a server may have it, and which of its keys stay in the file. */
export function forServer(
  { settings }: { readonly settings: Keys },
): { readonly kept: Keys; readonly leftOut: readonly string[] } {
  const { name: _name, ...kept } = without(settings);
  const all = [settings, ...listOf(settings["destinations"]).map(([, destination]) => destination)].flatMap(Object.keys);
  return { kept, leftOut: [...new Set(all)].filter((key) => LOCAL_ONLY.has(key)) };
}

/** Without what only the file may set, and without these keys; in the destinations, too. */
function without(section: Keys, more: ReadonlySet<string> = new Set()): Keys {
  return Object.fromEntries(
    Object.entries(section).filter(([key]) => !LOCAL_ONLY.has(key) && !more.has(key)).map(([key, value]) => [
      key,
      key === "destinations" && Array.isArray(value) ? value.map((one) => isSection(one) ? without(one, more) : one) : value,
    ]),
  );
}

/** JSON with the keys in order, to compare. */
export function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner: unknown) => isSection(inner) ? Object.fromEntries(Object.entries(inner).sort(byKey)) : inner,
  ) ??
    "";
}

function byKey([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}
