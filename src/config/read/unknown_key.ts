/** What to say of a key that is not known: the one that was probably meant, misspelt or guessed. */
import { addressWords, isAddress } from "../../domain/names/host_name.ts";
import { nearestKey } from "../../domain/names/nearest_key.ts";
import { inWords } from "../schema/values.ts";

/** Our keys, each with the words that people guess for it, from other programs or from everyday language. */
const GUESSES: Readonly<Record<string, string>> = {
  watch_path: "source source_path source_dir src input from path folder directory dir watch watch_dir local_path",
  remote_base_path: "path dest destination_path dest_path target target_path remote_path remote_dir remote_folder to output",
  remote_host: "host hostname server address remote_server",
  remote_user: "user username login account",
  remote_port: "port ssh_port",
  transfer_method: "method transfer protocol transport mode type backend",
  file_patterns: "pattern patterns include includes include_patterns extensions file_types filter globs",
  exclude_patterns: "exclude excludes ignore ignore_patterns",
  delete_source: "delete move remove_source delete_after move_files",
  delete_destination_files: "mirror delete_remote",
  verify_transfer: "checksum verify_checksum checksums verification",
  retry_attempts: "retries retry max_retries attempts",
  transfer_timeout_seconds: "timeout",
  bandwidth_limit: "bwlimit bandwidth rate_limit speed_limit limit",
  parallel_transfers: "parallel threads workers concurrency connections",
  rescan_interval: "interval poll_interval scan_interval",
  schedule: "cron",
  recursive: "subfolders subdirectories",
  log_file: "log logfile log_path",
  listen: "port host address bind bind_address",
  password: "remote_password passwd pass",
  token: "password",
  admin_email: "user username",
  admin_password: "password",
  command: "cmd exec run script program",
  url: "webhook address",
  on: "event events when",
  at: "time",
  to: "url webhook",
};

/** What ssh reads itself, and how ssh_config calls it. */
const OF_SSH: Readonly<Record<string, string>> = {
  IdentityFile: "ssh_key key_file identity identity_file private_key private_key_path ssh_key_path key_path",
  ProxyJump: "jump_host proxy_jump bastion",
  UserKnownHostsFile: "known_hosts known_hosts_file",
};

/** The known key that was probably meant: none that the section has already, if it is only guessed. */
export function meantKey(key: string, known: readonly string[], section: object = {}): string | undefined {
  const [head = "", ...inside] = key.split(".");
  if (inside.length > 0 && known.includes(head)) return undefined;
  // `path` beside `source` is not the watched folder.
  const isTaken = (one: string) =>
    Object.keys(section).some((other) => other === one || other !== key && guessed(other, GUESSES).join() === one);
  return guessed(key, GUESSES).find((one) => known.includes(one) && !isTaken(one)) ?? nearestKey(key, known);
}

/** `unknown key "file_patern"; did you mean "file_patterns"?`; `inside` gives the keys of a section. */
export function unknownKey(
  key: string,
  known: readonly string[],
  section: object = {},
  inside: (section: string) => readonly string[] = () => [],
): string {
  const meant = meantKey(key, known, section);
  const value = (section as Readonly<Record<string, unknown>>)[key];
  if (
    typeof value === "string" && isAddress(value) && ["destinations", "remote_base_path", "remote_host"].includes(meant ?? "")
  ) {
    return `unknown key "${key}"; write ${addressWords(value)}`;
  }
  if (meant !== undefined) return `unknown key "${key}"; did you mean "${meant}"?`;
  const [head = "", last = ""] = key.split(".");
  const below = known.includes(head) ? inside(head) : [];
  if (below.length > 0) {
    const inner = below.includes(last) ? last : meantKey(last, below);
    return `unknown key "${key}"; write ${head}: { ${inner ?? "…"}: … }`;
  }
  const [ssh] = guessed(key, OF_SSH);
  if (ssh !== undefined) return `unknown key "${key}"; ssh reads it from your ~/.ssh/config, as ${ssh}`;
  return known.length > 0 && known.length <= 12
    ? `unknown key "${key}"; known keys here are ${inWords(known).replace(/ or (?=[^ ]*$)/, " and ")}`
    : `unknown key "${key}"; "image-transfer config schema" lists all known keys`;
}

function guessed(key: string, table: Readonly<Record<string, string>>): string[] {
  const word = key.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase().replace(/[\s-]+/g, "_");
  return Object.keys(table).filter((ours) => table[ours]!.split(" ").includes(word));
}
