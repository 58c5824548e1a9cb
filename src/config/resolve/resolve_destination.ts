/** One destination with all its keys, and what must hold between them. */
import type { BandwidthLimit } from "../../domain/schedule.ts";
import { addressParts, addressWords, bareHost, isAddress, isHostName, isUserName } from "../../domain/names/host_name.ts";
import { checkLayout, withNight } from "../../domain/names/layout.ts";
import { commonKeys, destinationShape, transferMethod } from "../schema/schema_destination.ts";
import { METHOD_KEYS, methodKeys, rsyncKeys } from "../schema/schema_methods.ts";
import type { Shape } from "../schema/values.ts";
import { type Destination, isOnThisComputer, loginOf, serverOf, type Transport } from "../settings.ts";
import { expandPath, expandVariables, isWindowsPath } from "./expand_path.ts";
import { refuse, resolved, resolveKeys, type Resolving, type Section, withDefaults } from "./resolving.ts";
import type { Path } from "../read/source.ts";

export function resolveDestination(
  written: Section,
  { path, job, line }: { readonly path: Path; readonly job: string; readonly line: BandwidthLimit },
  to: Resolving,
): { destination: Destination; full: Section; written: Section } {
  const merged = withAddress(withRemote(written, path, to), path, to);
  const options = checkRsyncOptions(rsyncKeys.rsync_options.parse(merged["rsync_options"]));
  for (const fault of options.faults) {
    to.report([...to.placeOf(path, "rsync_options"), fault.index], `"rsync_options" ${fault.message}`);
  }
  const transport = resolveTransport({ ...merged, rsync_options: options.kept }, path, to);
  const common = resolveKeys(commonKeys, merged, path, to);
  const folder = basePath(common.basePath, !isOnThisComputer({ transport }), path, to);
  // `/data/NIGHT/raw` with `{path}` is `/data` with `{night}/raw/{path}`.
  const cut = cutAtNight(folder);
  const base = cut === null ? folder : cut.base;
  const layout = cut === null ? common.layout : withNight([...cut.rest, common.layout].join("/"), "{night}");
  // Of the placeholders, only the night has a meaning in the path, and is cut off with what follows it.
  const [placeholder] = /\{(?:header\b[^{}]*|job|path|folder|name|stem|ext)\}/i.exec(base) ?? [];
  const unfit = placeholder !== undefined
    ? `${placeholder} belongs in "layout", which continues it`
    : layout !== common.layout && checkLayout(layout);
  if (unfit) refuse("remote_base_path", `is invalid: ${unfit}`, path, to);
  const name = typeof merged["name"] === "string" ? merged["name"] : serverOf(transport) || transport.method;
  const shown = {
    ...merged,
    transfer_method: transport.method,
    remote_base_path: base,
    layout,
    rsync_options: options.kept,
    verify_transfer: common.verify,
    ...(loginOf(transport) === null ? { remote_host: undefined, remote_user: undefined, remote_port: undefined } : {}),
  };
  // What only other methods use is not shown, unless it is set.
  const isOthers = (key: string) => key in methodKeys && !(key in METHOD_KEYS[transport.method]) && merged[key] === undefined;
  const shape = Object.fromEntries(Object.entries<Shape[string]>(destinationShape).filter(([key]) => !isOthers(key)));
  return {
    destination: {
      ...common,
      bandwidthLimit: inZone(common.bandwidthLimit, merged),
      lineLimit: isOnThisComputer({ transport }) ? null : line,
      name,
      job,
      transport,
      basePath: base,
      layout,
    },
    full: { name, ...withDefaults(shape, shown) },
    written,
  };
}

/** The method with its own options: only the keys that it uses are checked. */
function resolveTransport(merged: Section, path: Path, to: Resolving): Transport {
  const asked = transferMethod.parse(merged["transfer_method"]);
  // A port of this computer may be the near end of a tunnel to another one.
  const isHere = String(merged["remote_host"]).toLowerCase() === "localhost" && merged["remote_user"] === undefined &&
    merged["remote_port"] === undefined;
  const method = asked === "auto" && isHere ? "local" : asked;
  // Of an unknown method, nobody knows what it needs.
  const wrong = to.wrong.has("transfer_method") ? new Set([...to.wrong, ...Object.keys(METHOD_KEYS[method])]) : to.wrong;
  const own: Record<string, unknown> = resolveKeys<Shape>(METHOD_KEYS[method], merged, path, { ...to, wrong });
  const { host, user } = own;
  if (typeof user === "string" && !isUserName(user)) refuse("remote_user", `must be a user name, not "${user}"`, path, to);
  checkFtpKeys(method, merged, path, to);
  return {
    method,
    ...own,
    ...(typeof host === "string" ? { host: remoteHost(host, path, to) } : {}),
    ...(typeof user === "string" ? { user: isUserName(user) ? user : null } : {}),
  } as Transport;
}

/** A timetable follows the clock of the section that it is set for. */
export function inZone(limit: BandwidthLimit, { night_timezone }: Section): BandwidthLimit {
  if (limit === null || typeof limit === "number") return limit;
  return { ...limit, timezone: typeof night_timezone === "string" ? night_timezone : null };
}

/** What would be taken for safer than it is, or leave open which of two is meant. */
function checkFtpKeys(method: string, merged: Section, path: Path, to: Resolving): void {
  if (method !== "ftp" && method !== "ftps") return;
  if (merged["password"] !== undefined && merged["password_file"] !== undefined) {
    to.report(to.placeOf(path, "password_file"), '"password" and "password_file" are both set; keep one');
  }
  if (method === "ftps") return;
  for (const key of ["tls_ca", "tls_mode"].filter((key) => merged[key] !== undefined)) {
    refuse(key, "is for transfer_method: ftps; ftp sends everything in clear, the password too", path, to);
  }
}

/** With rclone: the name of the remote and the path, however they are written. A Windows drive letter is not a remote. */
function withRemote(written: Section, path: Path, to: Resolving): Section {
  const { remote, remote_base_path: folder } = written;
  if (String(written["transfer_method"]).toLowerCase() !== "rclone" || typeof folder !== "string") return written;
  if (remote === undefined && isWindowsPath(folder)) {
    const what = `begins with the drive "${folder.slice(0, 2)}", not with the name of a remote, like s3remote:bucket/images`;
    const hint = "for a folder on this computer, set transfer_method: local";
    refuse("remote_base_path", `${what}; ${hint}`, path, to);
    return { ...written, remote: REPORTED };
  }
  const inPath = remote === undefined || folder.startsWith(`${remote}:`);
  const [, name = remote, rest = folder] = inPath ? /^([^/:]*):(.*)$/s.exec(folder) ?? [] : [];
  // What is written there instead may hold a password: it is not repeated.
  if (typeof name === "string" && !REMOTE_NAME.test(name)) {
    const key = remote === undefined ? "remote_base_path" : "remote";
    const place = remote === undefined ? "must begin with" : "must be";
    refuse(key, `${place} the name of a remote, as "rclone listremotes" shows it`, path, to);
  }
  return { ...written, ...(name === undefined ? {} : { remote: name || REPORTED }), remote_base_path: rest === "" ? "." : rest };
}

/** Used where the name of the remote is not valid. */
const REPORTED = "none";
/** What rclone allows as a name in its configuration. */
const REMOTE_NAME = /^[\p{L}\p{N}_.+@](?:[\p{L}\p{N}_.+@ -]*[\p{L}\p{N}_.+@-])?$/u;

/** What one of host and folder contains of the other one is not missing as well. */
function withAddress(written: Section, path: Path, to: Resolving): Section {
  const { remote_host: host, remote_base_path: folder } = written;
  if (!("remote_host" in METHOD_KEYS[transferMethod.parse(written["transfer_method"])])) return written;
  if (typeof host === "string" && folder === undefined) {
    return { ...written, remote_base_path: addressParts(host)["remote_base_path"] };
  }
  if (host !== undefined || typeof folder !== "string" || !isAddress(folder)) return written;
  refuse("remote_base_path", `contains the host; write ${addressWords(folder)}`, path, to);
  return { ...written, remote_host: addressParts(folder)["remote_host"] };
}

function remoteHost(written: string, path: Path, to: Resolving): string {
  if (written === "" || isHostName(written)) return bareHost(written);
  const hint = /^[/~\\.]|^[A-Za-z]:[\\/]/.test(written)
    ? "; for a folder of this computer, set remote_base_path and transfer_method: local"
    : isHostName(addressParts(written)["remote_host"] ?? "")
    ? `; write ${addressWords(written)}`
    : "";
  const fault = `must be a host name, an address or an alias from your ssh configuration, not "${written}"${hint}`;
  refuse("remote_host", fault, path, to);
  return "";
}

function basePath(written: string, isRemote: boolean, path: Path, to: Resolving): string {
  if (written === "") return "";
  const fault = (message: string) => refuse("remote_base_path", message, path, to);
  if (!isRemote) {
    const folder = resolved("remote_base_path", expandPath(written, to.around), path, to);
    if (to.around.platform !== "windows" && isWindowsPath(folder)) {
      const hint = "use a path on this computer, or set remote_host";
      fault(`is a Windows path, "${written}", but this computer does not run Windows; ${hint}`);
    }
    return folder;
  }
  // The home folder is the remote one, where a relative path begins.
  const expanded = expandVariables(written.replace(/^\$(HOME|\{HOME\})(?=$|\/)/, "~"), to.around);
  const text = resolved("remote_base_path", expanded, path, to);
  const tidy = remoteFolder(text);
  if (tidy.startsWith("~")) {
    fault(`refers to the home folder of another user, "${written}"; write the full path`);
  } else if (tidy.split("/").includes("..")) fault('must not contain ".."');
  return tidy;
}

/** A folder elsewhere as there is one way to write it: `.` is where the account begins, also written as `~`. */
export function remoteFolder(written: string): string {
  const slashes = /^[A-Za-z]:[\\/]/.test(written) ? written.replaceAll("\\", "/") : written;
  const relative = slashes.replace(/^~(\/+|$)/, "");
  const tidy = relative.replace(/\/{2,}/g, "/").replace(/(?:^|(?<=\/))(?:\.\/)+/g, "").replace(/(?<=.)\/+$/s, "");
  return tidy === "" ? "." : tidy;
}

// `NIGHT` in a path means the observing night. At a destination, the path before it stays the base path, which is made once, and the
// rest becomes part of the layout. Of a watched path, the part before it is watched, and the rest selects folders in it.

/** `/data/NIGHT/raw` watched is `/data`, and `NIGHT/raw` below it, which is null without a `NIGHT`. */
export function splitWatched(path: string): { folder: string; below: string | null } {
  const cut = cutAtNight(path);
  return cut === null ? { folder: path, below: null } : { folder: cut.base, below: cut.rest.join("/") };
}

/** The path before the part that names the night, and the parts from there on. */
function cutAtNight(path: string): { base: string; rest: string[] } | null {
  const parts = path.split(/[/\\]/);
  const first = parts.findIndex((part) => withNight(part, "") !== part);
  if (first < 0) return null;
  const base = path.slice(0, parts.slice(0, first).join("/").length);
  const whole = /^[A-Za-z]:$/.test(base) ? `${base}/` : base;
  return { base: whole || (path.startsWith("/") ? "/" : "."), rest: parts.slice(first) };
}

// Which options of rsync a user may add: only those that are known to break no promise. Options of seed 1 that have no effect here are
// left out; all others are rejected by name.

/** The options that are passed on, and what is wrong with the others. */
interface CheckedOptions {
  readonly kept: readonly string[];
  /** `index` is the place among the options as they were written, from 0. */
  readonly faults: readonly { readonly index: number; readonly message: string }[];
}

const ALLOWED_TEXT =
  "--bwlimit=…, --compress, --compress-level=…, --compress-choice=…, --skip-compress=…, --whole-file, --no-whole-file, --chmod=…, --chown=…, " +
  "--owner, --group, --numeric-ids, --usermap=…, --groupmap=…, --acls, --xattrs, --omit-dir-times, --ipv4, --ipv6, --sockopts=…, --block-size=…, " +
  "--checksum-choice=…, --open-noatime";

const ALLOWED =
  /^--(?:bwlimit=[\d.]+[KMGkmg]?|compress|no-compress|compress-level=\d+|zl=\d+|compress-choice=\w+|zc=\w+|skip-compress=[\w./[\]*-]*|(?:no-)?whole-file|chmod=[\w,=+-]+|chown=[\w.*:-]+|(?:no-)?owner|(?:no-)?group|numeric-ids|usermap=[\w.*:,-]+|groupmap=[\w.*:,-]+|(?:no-)?acls|(?:no-)?xattrs|omit-dir-times|ipv[46]|sockopts=[\w=,]+|block-size=\d+|checksum-choice=[\w,]+|cc=[\w,]+|open-noatime)$/;

/** Always on, or only about what is printed. */
const DONE_ANYWAY =
  /^--(?:archive|recursive|links|times|perms|partial|progress|verbose|quiet|human-readable|stats|checksum|protect-args|secluded-args)$/;

const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^--(inplace|append|append-verify|write-devices)$/, "it writes to files that may already be visible"],
  [
    /^--(remove-source-files|remove-sent-files)$/,
    "files may be removed only once they are verified everywhere; use delete_source",
  ],
  [/^--(del|delete.*|force|max-delete.*|prune-empty-dirs|ignore-errors)$/, "it removes files at the destination"],
  [/^--(dry-run|list-only)$/, "nothing would be sent; use image-transfer --dry-run"],
  [
    /^--(files-from|from0|filter|include|exclude|cvs-exclude|min-size|max-size|existing|ignore-existing|ignore-non-existing|update|size-only|ignore-times|one-file-system)(.*)$/,
    "files are selected by file_patterns and exclude_patterns",
  ],
  [
    /^--(rsh|rsync-path|remote-option|daemon|config|password-file|blocking-io|port)(.*)$/,
    "image-transfer controls the connection",
  ],
  [/^--(backup|backup-dir|suffix)(.*)$/, "on_conflict decides what happens to existing files"],
  [
    /^--(temp-dir|partial-dir|delay-updates|no-partial|link-dest|copy-dest|compare-dest|mkpath|relative|no-relative|no-implied-dirs)(.*)$/,
    "image-transfer controls the temporary files",
  ],
  [
    /^--(out-format|log-file|log-file-format|info|debug|itemize-changes|outbuf|msgs2stderr|stderr|8-bit-output|no-motd)(.*)$/,
    "image-transfer reads the output of rsync",
  ],
  [/^--(write-batch|only-write-batch|read-batch)(.*)$/, "nothing would be sent"],
  [/^--(copy-links|copy-unsafe-links|copy-dirlinks|keep-dirlinks|munge-links|safe-links)$/, "only regular files are sent"],
  [/^--(timeout|contimeout|stop-after|stop-at|time-limit)(.*)$/, "use transfer_timeout_seconds"],
  [/^--(iconv)(.*)$/, "it changes file names"],
  [/^--no-(times|perms|archive|recursive)$/, "use preserve_timestamps and preserve_permissions"],
];

/** The long names of short options; those with a value are rejected anyway. */
const LETTERS: Readonly<Record<string, string>> = Object.fromEntries(
  ("a=archive r=recursive l=links t=times p=perms P=progress v=verbose q=quiet h=human-readable s=protect-args c=checksum " +
    "z=compress W=whole-file o=owner g=group A=acls X=xattrs O=omit-dir-times 4=ipv4 6=ipv6 n=dry-run e=rsh b=backup " +
    "T=temp-dir f=filter C=cvs-exclude u=update x=one-file-system I=ignore-times M=remote-option R=relative L=copy-links " +
    "k=copy-dirlinks K=keep-dirlinks i=itemize-changes m=prune-empty-dirs")
    .split(" ").map((pair) => pair.split("=")),
);

export function checkRsyncOptions(options: readonly string[]): CheckedOptions {
  const kept: string[] = [];
  const faults: { index: number; message: string }[] = [];
  options.forEach((written, index) => {
    if (!/^--|^-[A-Za-z0-9@]/.test(written)) {
      const message = `must be an option that begins with -, with its value after =, like --bwlimit=5000, not "${written}"`;
      faults.push({ index, message });
      return;
    }
    // `-avn` as its long options.
    const short = (letter: string) => LETTERS[letter] === undefined ? `-${letter}` : `--${LETTERS[letter]}`;
    const long = written.startsWith("--") ? [written] : [...written.slice(1)].map(short);
    for (const option of long) {
      if (ALLOWED.test(option)) kept.push(option);
      else if (!DONE_ANYWAY.test(option)) faults.push({ index, message: refusal(written, option) });
    }
  });
  return { kept, faults };
}

function refusal(written: string, option: string): string {
  const reason = REFUSED.find(([pattern]) => pattern.test(option))?.[1] ??
    `it is not known to be safe. Allowed: ${ALLOWED_TEXT}`;
  const name = written.startsWith("--") ? written : `${option.startsWith("--") ? `${option} in ` : ""}${written}`;
  return `must not contain ${name}: ${reason}`;
}
