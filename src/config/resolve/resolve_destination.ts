/** One destination with all its keys, and what must hold between them. */
import type { BandwidthLimit } from "../../domain/bandwidth.ts";
import { addressParts, addressWords, bareHost, isAddress, isHostName, isUserName } from "../../domain/names/host_name.ts";
import { checkLayout } from "../../domain/names/layout.ts";
import { commonKeys, destinationShape, transferMethod } from "../schema/schema_destination.ts";
import { loginKeys, METHOD_KEYS, methodKeys, type MethodName, rsyncKeys } from "../schema/schema_methods.ts";
import type { Shape } from "../schema/settings_of.ts";
import { type Destination, isOnThisComputer, loginOf, serverOf, type Transport } from "../settings.ts";
import { expandPath, expandVariables, isWindowsPath } from "./expand_path.ts";
import { splitNight } from "./night_path.ts";
import { resolved, resolveKeys, type Resolving, type Section, withDefaults, withoutKeys } from "./resolving.ts";
import { checkRsyncOptions } from "./rsync_options.ts";
import type { Path } from "../read/source.ts";

/** Resolves a destination from its keys and those above it. */
export function resolveDestination(
  written: Section,
  { path, job, line }: { readonly path: Path; readonly job: string; readonly line: BandwidthLimit },
  to: Resolving,
): { destination: Destination; full: Section; written: Section } {
  const at = (key: string): Path => to.placeOf(path, key);
  const merged = withAddress(withRemote(written, path, to), path, to);
  const options = checkRsyncOptions(rsyncKeys.rsync_options.parse(merged["rsync_options"]));
  for (const fault of options.faults) to.report([...at("rsync_options"), fault.index], `"rsync_options" ${fault.message}`);
  const transport = resolveTransport({ ...merged, rsync_options: options.kept }, path, to);
  const login = loginOf(transport);
  const common = resolveKeys(commonKeys, merged, path, to);
  const folder = basePath(common.basePath, !isOnThisComputer({ transport }), path, to);
  const { basePath: base, layout } = splitNight(folder, common.layout);
  const unfit = checkBasePath(base) ?? (layout === common.layout ? null : checkLayout(layout));
  if (unfit !== null) to.report(to.placeOf(path, "remote_base_path"), `"remote_base_path" is invalid: ${unfit}`);
  const name = typeof merged["name"] === "string" ? merged["name"] : serverOf(transport) || transport.method;
  const shown = {
    ...merged,
    transfer_method: transport.method,
    remote_base_path: base,
    layout,
    rsync_options: options.kept,
    verify_transfer: common.verify,
    ...(login === null ? withoutKeys(loginKeys) : {}),
  };
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
    full: { name, ...withDefaults(withoutOthers(transport.method, merged), shown) },
    written,
  };
}

/** The keys of a destination, without those that only other methods use, unless they are set. */
function withoutOthers(method: MethodName, merged: Section): Shape {
  const isOthers = (key: string) => key in methodKeys && !(key in METHOD_KEYS[method]) && merged[key] === undefined;
  return Object.fromEntries(Object.entries<Shape[string]>(destinationShape).filter(([key]) => !isOthers(key)));
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
  checkFtpKeys(method, merged, path, to);
  return {
    method,
    ...own,
    ...(typeof host === "string" ? { host: remoteHost(host, path, to) } : {}),
    ...(typeof user === "string" ? { user: remoteUser(user, path, to) } : {}),
  } as Transport;
}

/** A timetable follows the clock of the section that it is set for. */
export function inZone(limit: BandwidthLimit, { night_timezone }: Section): BandwidthLimit {
  if (limit === null || typeof limit === "number") return limit;
  return { ...limit, timezone: typeof night_timezone === "string" ? night_timezone : null };
}

/** Of the placeholders, only the night has a meaning in the path, and is cut off with what follows it. */
function checkBasePath(base: string): string | null {
  const [placeholder] = /\{(?:header\b[^{}]*|job|path|folder|name|stem|ext)\}/i.exec(base) ?? [];
  return placeholder === undefined ? null : `${placeholder} belongs in "layout", which continues it`;
}

/** What would be taken for safer than it is, or leave open which of two is meant. */
function checkFtpKeys(method: string, merged: Section, path: Path, to: Resolving): void {
  if (method !== "ftp" && method !== "ftps") return;
  if (merged["password"] !== undefined && merged["password_file"] !== undefined) {
    to.report(to.placeOf(path, "password_file"), '"password" and "password_file" are both set; keep one');
  }
  if (method === "ftps") return;
  for (const key of ["tls_ca", "tls_mode"].filter((key) => merged[key] !== undefined)) {
    const message = `"${key}" is for transfer_method: ftps; ftp sends everything in clear, the password too`;
    to.report(to.placeOf(path, key), message);
  }
}

/** With rclone: the name of the remote and the path, however they are written. A Windows drive letter is not a remote. */
function withRemote(written: Section, path: Path, to: Resolving): Section {
  const { remote, remote_base_path: folder } = written;
  if (String(written["transfer_method"]).toLowerCase() !== "rclone" || typeof folder !== "string") return written;
  if (remote === undefined && isWindowsPath(folder)) {
    const what = `begins with the drive "${folder.slice(0, 2)}", not with the name of a remote, like s3remote:bucket/images`;
    const hint = "for a folder on this computer, set transfer_method: local";
    to.report(to.placeOf(path, "remote_base_path"), `"remote_base_path" ${what}; ${hint}`);
    return { ...written, remote: REPORTED };
  }
  const inPath = remote === undefined || folder.startsWith(`${remote}:`);
  const [, name = remote, rest = folder] = inPath ? /^([^/:]*):(.*)$/s.exec(folder) ?? [] : [];
  // What is written there instead may hold a password: it is not repeated.
  if (typeof name === "string" && !REMOTE_NAME.test(name)) {
    const key = remote === undefined ? "remote_base_path" : "remote";
    const place = remote === undefined ? "must begin with" : "must be";
    to.report(to.placeOf(path, key), `"${key}" ${place} the name of a remote, as "rclone listremotes" shows it`);
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
  to.report(to.placeOf(path, "remote_base_path"), `"remote_base_path" contains the host; write ${addressWords(folder)}`);
  return { ...written, remote_host: addressParts(folder)["remote_host"] };
}

function remoteHost(written: string, path: Path, to: Resolving): string {
  if (written === "" || isHostName(written)) return bareHost(written);
  const hint = /^[/~\\.]|^[A-Za-z]:[\\/]/.test(written)
    ? "; for a folder of this computer, set remote_base_path and transfer_method: local"
    : isHostName(addressParts(written)["remote_host"] ?? "")
    ? `; write ${addressWords(written)}`
    : "";
  const at = to.placeOf(path, "remote_host");
  to.report(at, `"remote_host" must be a host name, an address or an alias from your ssh configuration, not "${written}"${hint}`);
  return "";
}

function remoteUser(written: string, path: Path, to: Resolving): string | null {
  if (isUserName(written)) return written;
  to.report(to.placeOf(path, "remote_user"), `"remote_user" must be a user name, not "${written}"`);
  return null;
}

function basePath(written: string, isRemote: boolean, path: Path, to: Resolving): string {
  if (written === "") return "";
  const at = to.placeOf(path, "remote_base_path");
  if (!isRemote) {
    const folder = resolved("remote_base_path", expandPath(written, to.around), path, to);
    if (to.around.platform !== "windows" && isWindowsPath(folder)) {
      to.report(
        at,
        `"remote_base_path" is a Windows path, "${written}", but this computer does not run Windows; use a path on this computer, or set remote_host`,
      );
    }
    return folder;
  }
  // The home folder is the remote one, where a relative path begins.
  const expanded = expandVariables(written.replace(/^\$(HOME|\{HOME\})(?=$|\/)/, "~"), to.around);
  const text = resolved("remote_base_path", expanded, path, to);
  const tidy = remoteFolder(text);
  if (tidy.startsWith("~")) {
    to.report(at, `"remote_base_path" refers to the home folder of another user, "${written}"; write the full path`);
  } else if (tidy.split("/").includes("..")) to.report(at, '"remote_base_path" must not contain ".."');
  return tidy;
}

/** A folder elsewhere as there is one way to write it: `.` is where the account begins, also written as `~`. */
export function remoteFolder(written: string): string {
  const slashes = /^[A-Za-z]:[\\/]/.test(written) ? written.replaceAll("\\", "/") : written;
  const relative = slashes.replace(/^~(\/+|$)/, "");
  const tidy = relative.replace(/\/{2,}/g, "/").replace(/(?:^|(?<=\/))(?:\.\/)+/g, "").replace(/(?<=.)\/+$/s, "");
  return tidy === "" ? "." : tidy;
}
