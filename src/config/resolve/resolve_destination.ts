/**
 * One destination with all its keys, and what must hold between them.
 *
 * @module
 */
import { bareHost, isHostName, isUserName } from "../../domain/names/host_name.ts";
import type { Destination, MethodName } from "../../domain/job.ts";
import { expandPath, expandVariables, isWindowsPath } from "./expand_path.ts";
import { splitNight } from "./night_path.ts";
import { resolved, type Resolving, type Section, withDefaults } from "./resolving.ts";
import { checkRsyncOptions } from "./rsync_options.ts";
import { destinationSchema } from "../schema/schema.ts";
import { destinationShape } from "../schema/schema_destination.ts";
import type { Path } from "../read/source.ts";

const GB = 1e9;
const METHODS: readonly MethodName[] = ["auto", "rsync", "scp", "sftp", "local"];

/** Resolves a destination from its keys and those above it. */
export function resolveDestination(
  merged: Section,
  path: Path,
  job: string,
  to: Resolving,
): { destination: Destination; full: Section } {
  const keys = destinationSchema.parse(merged);
  const at = (key: string): Path => to.placeOf(path, key);
  const asked = METHODS.find((method) => method === keys.transfer_method) ?? "auto";
  // A port of this computer is the near end of a tunnel: what is behind it is another computer.
  const isHere = keys.remote_host?.toLowerCase() === "localhost" && keys.remote_user === undefined &&
    keys.remote_port === undefined;
  const method = asked === "auto" && isHere ? "local" : asked;
  const remote = method !== "local";
  const host = remote ? remoteHost(keys.remote_host, path, at("remote_host"), to) : null;
  const user = remote && keys.remote_user !== undefined ? remoteUser(keys.remote_user, at("remote_user"), to) : null;
  const folder = basePath(keys.remote_base_path, remote, path, at("remote_base_path"), to);
  const { basePath: base, layout } = splitNight(folder, keys.layout);
  const options = checkRsyncOptions(keys.rsync_options);
  for (const fault of options.faults) to.report([...at("rsync_options"), fault.index], `"rsync_options" ${fault.message}`);
  const name = typeof merged["name"] === "string" ? merged["name"] : host ?? "local";
  const destination: Destination = {
    name,
    job,
    method,
    host,
    user,
    port: remote ? keys.remote_port ?? null : null,
    basePath: base,
    compression: keys.compression,
    rsyncOptions: options.kept,
    timeoutMs: keys.transfer_timeout_seconds,
    verify: keys.verify_transfer,
    retryAttempts: keys.retry_attempts,
    retryDelayMs: keys.retry_delay,
    parallelTransfers: keys.parallel_transfers,
    order: keys.order,
    onConflict: keys.on_conflict,
    bandwidthLimit: keys.bandwidth_limit,
    preservePermissions: keys.preserve_permissions,
    preserveTimestamps: keys.preserve_timestamps,
    fileMode: keys.file_mode ?? null,
    directoryMode: keys.directory_mode ?? null,
    minimumFreeBytes: Math.round(keys.minimum_free_space_gb * GB),
    copySafetyMarginBytes: Math.round(keys.copy_safety_margin_gb * GB),
    layout,
  };
  const shown = {
    ...merged,
    transfer_method: method,
    remote_base_path: base,
    layout,
    rsync_options: options.kept,
    verify_transfer: keys.verify_transfer,
  };
  const full = {
    name,
    ...withDefaults(
      destinationShape,
      remote ? shown : { ...shown, remote_host: undefined, remote_user: undefined, remote_port: undefined },
    ),
  };
  return { destination, full };
}

function remoteHost(written: string | undefined, path: Path, at: Path, to: Resolving): string | null {
  if (written === undefined) {
    if (!to.wrong.has("remote_host")) {
      to.report(
        path,
        '"remote_host" is missing: the computer to send images to (for a folder on this computer, set transfer_method: local)',
      );
    }
    return null;
  }
  if (isHostName(written)) return bareHost(written);
  const [, user, host] = /^([^@\s]+)@([^@\s]+)$/.exec(written) ?? [];
  const hint = user !== undefined
    ? `; write remote_user: ${user} and remote_host: ${host}`
    : written.includes(":")
    ? "; a port goes into remote_port, a folder into remote_base_path"
    : "";
  to.report(at, `"remote_host" must be a host name, an address or an alias from your ssh configuration, not "${written}"${hint}`);
  return null;
}

function remoteUser(written: string, at: Path, to: Resolving): string | null {
  if (isUserName(written)) return written;
  to.report(at, `"remote_user" must be a user name, not "${written}"`);
  return null;
}

function basePath(written: string | undefined, remote: boolean, path: Path, at: Path, to: Resolving): string {
  if (written === undefined) {
    if (!to.wrong.has("remote_base_path")) {
      to.report(path, '"remote_base_path" is missing: the folder under which files are stored');
    }
    return "";
  }
  if (!remote) {
    const path = resolved("remote_base_path", expandPath(written, to.around), at, to);
    if (to.around.platform !== "windows" && isWindowsPath(path)) {
      to.report(
        at,
        `"remote_base_path" is a Windows path, "${written}", but this computer does not run Windows; use a path on this computer, or set remote_host`,
      );
    }
    return path;
  }
  // The home folder is that of the other side, where a relative path begins.
  const text = resolved(
    "remote_base_path",
    expandVariables(written.replace(/^\$(HOME|\{HOME\})(?=$|\/)/, "~"), to.around),
    at,
    to,
  );
  const slashes = /^[A-Za-z]:[\\/]/.test(text) ? text.replaceAll("\\", "/") : text;
  const relative = slashes.replace(/^~(\/+|$)/, "");
  if (relative.startsWith("~")) {
    to.report(at, `"remote_base_path" refers to the home folder of another user, "${written}"; write the full path`);
  } else if (relative.split("/").includes("..")) to.report(at, '"remote_base_path" must not contain ".."');
  const tidy = relative.replace(/\/{2,}/g, "/").replace(/(?:^|(?<=\/))(?:\.\/)+/g, "").replace(/(?<=.)\/+$/, "");
  return tidy === "" || tidy === "." ? "." : tidy;
}
